import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.StringJoiner;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Kafka's own client, asked line by line: "read TOPIC PARTITION FROM", "produce TOPIC CODEC COUNT VALUE". One line answers each. */
public class KafkaOracle {
  public static void main(String[] args) throws Exception {
    var lines = new BufferedReader(new InputStreamReader(System.in));
    try (var consumer = new KafkaConsumer<byte[], byte[]>(consumerSettings(args[0]))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] words = line.split(" ", 5);
        System.out.println(words[0].equals("read") ? read(consumer, words) : produce(args[0], words));
      }
    }
  }

  private static String read(KafkaConsumer<byte[], byte[]> consumer, String[] words) {
    var partition = new TopicPartition(words[1], Integer.parseInt(words[2]));
    consumer.assign(List.of(partition));
    consumer.seek(partition, Long.parseLong(words[3]));
    long end = consumer.endOffsets(List.of(partition)).get(partition);
    var offsets = new StringJoiner(" ");
    while (consumer.position(partition) < end)
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) offsets.add(Long.toString(record.offset()));
    return offsets.toString();
  }

  private static String produce(String brokers, String[] words) throws Exception {
    var settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("compression.type", words[2]);
    settings.put("batch.size", 4_000_000);
    settings.put("max.request.size", 8_000_000);
    settings.put("linger.ms", 30_000);
    byte[] value = words.length > 4 ? words[4].getBytes("UTF-8") : new byte[0];
    try (var producer = new KafkaProducer<byte[], byte[]>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (int sent = Integer.parseInt(words[3]); sent > 0; sent--) producer.send(new ProducerRecord<>(words[1], 0, null, value));
      producer.flush();
    }
    return "produced";
  }

  private static Properties consumerSettings(String brokers) {
    var settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("isolation.level", "read_committed");
    settings.put("enable.auto.commit", false);
    settings.put("auto.offset.reset", "none");
    settings.put("fetch.max.wait.ms", 20);
    settings.put("key.deserializer", ByteArrayDeserializer.class);
    settings.put("value.deserializer", ByteArrayDeserializer.class);
    return settings;
  }
}
