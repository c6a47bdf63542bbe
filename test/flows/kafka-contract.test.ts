import { createKafka } from "../../src/adapters/kafka/kafka.ts";
import { describeKafkaReading } from "../support/kafka-contract-reading.ts";
import { describeKafkaContract } from "../support/kafka-contract.ts";

describeKafkaContract("kafkajs", createKafka);
describeKafkaReading("kafkajs", createKafka);
