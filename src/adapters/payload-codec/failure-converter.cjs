// CommonJS, because Temporal's SDK loads it with require().
const { DefaultFailureConverter } = require("@temporalio/common");

/** Outside of workflows: the message and the stack of a failure become a payload, which the payload codec encrypts. */
exports.failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
