import { z } from "zod";

/** A setting that may be left out, without blanks around it. */
export const optionalText = z.string().trim().min(1).optional();
