// CommonJS, as Temporal's SDK wants a failure converter.
/* global SALDO_ENCRYPTS_FAILURES */
const { DefaultFailureConverter } = require("@temporalio/common");

/**
 * The failure converter of the bundle. One bundle serves with encryption and without: `createSaldoWorkers` puts the constant before it. With it the
 * message and the stack of a failure become a payload, which the payload codec encrypts. Both forms are always read.
 */
const encodeCommonAttributes = typeof SALDO_ENCRYPTS_FAILURES !== "undefined" && SALDO_ENCRYPTS_FAILURES;

exports.failureConverter = new DefaultFailureConverter({ encodeCommonAttributes });
