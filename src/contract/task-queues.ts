/** Task queues by what runs on them: sagas, reservations and events; calls that leave the house; month closing. */
export const TASK_QUEUES = { orders: "orders", payments: "payments", reports: "reports" } as const;
export type TaskQueue = (typeof TASK_QUEUES)[keyof typeof TASK_QUEUES];
