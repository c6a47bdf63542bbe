import { createKafka } from "../../src/adapters/kafka/kafka.ts";
import { describeKafkaContract } from "../support/kafka-contract.ts";

describeKafkaContract("kafkajs", createKafka);
