/** Task queues by what runs on them: sagas, reservations and events; calls to the payment provider; month closing; webhooks, whose slow receivers hold up nobody else. */
export const TASK_QUEUES = { orders: "orders", payments: "payments", reports: "reports", webhooks: "webhooks" } as const;
export type TaskQueue = (typeof TASK_QUEUES)[keyof typeof TASK_QUEUES];
