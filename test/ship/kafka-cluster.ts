/** The mock cluster of librdkafka: real sockets and the real protocol, without a Java machine. Read back by kcat. */
import koffi from 'koffi';
import { run } from '../e2e/processes.ts';

const LIBRARY = 'librdkafka.so.1';
const PRODUCER = 0;
const PRODUCE_API = 0;

/** Whether the library is installed; says so when it is not. */
export function hasLibrdkafka(): boolean {
  try {
    koffi.load(LIBRARY);
    return true;
  } catch {
    console.log(`skipped what needs ${LIBRARY}: it is not installed here`);
    return false;
  }
}

export class KafkaCluster {
  readonly bootstrap: string;
  readonly #functions;
  readonly #client: unknown;
  readonly #cluster: unknown;

  constructor(topic: string, partitions: number) {
    const library = koffi.load(LIBRARY);
    this.#functions = {
      newConfig: library.func('void *rd_kafka_conf_new()'),
      newClient: library.func('void *rd_kafka_new(int type, void *conf, void *error, size_t length)'),
      newCluster: library.func('void *rd_kafka_mock_cluster_new(void *client, int brokers)'),
      bootstraps: library.func('str rd_kafka_mock_cluster_bootstraps(void *cluster)'),
      createTopic: library.func(
        'int rd_kafka_mock_topic_create(void *cluster, str topic, int partitions, int replicas)',
      ),
      setDown: library.func('int rd_kafka_mock_broker_set_down(void *cluster, int broker)'),
      setUp: library.func('int rd_kafka_mock_broker_set_up(void *cluster, int broker)'),
      pushErrors: library.func(
        'void rd_kafka_mock_push_request_errors_array(void *cluster, int16_t api, size_t count, int *errors)',
      ),
      destroyCluster: library.func('void rd_kafka_mock_cluster_destroy(void *cluster)'),
      destroyClient: library.func('void rd_kafka_destroy(void *client)'),
      setConfig: library.func(
        'int rd_kafka_conf_set(void *conf, str name, str value, void *error, size_t length)',
      ),
    };
    const config = this.#functions.newConfig();
    this.#functions.setConfig(config, 'log_level', '0', null, 0);
    this.#client = this.#functions.newClient(PRODUCER, config, Buffer.alloc(512), 512);
    this.#cluster = this.#functions.newCluster(this.#client, 1);
    this.bootstrap = this.#functions.bootstraps(this.#cluster);
    this.#functions.createTopic(this.#cluster, topic, partitions, 1);
  }

  down(): void {
    this.#functions.setDown(this.#cluster, 1);
  }

  up(): void {
    this.#functions.setUp(this.#cluster, 1);
  }

  /** The next requests to produce are answered with these error codes. */
  answerWith(...codes: number[]): void {
    this.#functions.pushErrors(this.#cluster, PRODUCE_API, codes.length, Int32Array.from(codes));
  }

  /** Everything in a topic: partition, key, headers, value. */
  async messages(
    topic: string,
  ): Promise<{ partition: number; key: string; headers: string; value: string }[]> {
    const args = [
      '-C',
      '-q',
      '-b',
      this.bootstrap,
      '-t',
      topic,
      '-o',
      'beginning',
      '-e',
      '-f',
      '%p\t%k\t%h\t%s\n',
    ];
    const { stdout } = await run('kcat', args);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [partition, key, headers, ...value] = line.split('\t');
        return {
          partition: Number(partition),
          key: key ?? '',
          headers: headers ?? '',
          value: value.join('\t'),
        };
      });
  }

  destroy(): void {
    this.#functions.destroyCluster(this.#cluster);
    this.#functions.destroyClient(this.#client);
  }
}
