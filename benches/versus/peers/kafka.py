"""Apache Kafka from Maven Central: one node as broker and controller."""

import subprocess

from peers.process import Peer, free_port, maven_libraries

VERSION = "4.3.1"
HEAP = "1g"


def libraries():
    """The folder with the broker, its tools and its clients."""
    return maven_libraries(
        "kafka", f"org.apache.kafka:kafka_2.13:{VERSION}", f"org.apache.kafka:kafka-tools:{VERSION}"
    )


class Kafka(Peer):
    """By default Kafka leaves flushing to the operating system; `settings` can change that."""

    name = f"Kafka {VERSION}"

    def __init__(self, directory, settings=()):
        super().__init__(directory)
        self.settings = settings

    def install(self):
        libraries()

    def prepare(self):
        controller = free_port()
        while controller == self.port:
            controller += 1
        lines = [
            "process.roles=broker,controller",
            "node.id=1",
            f"controller.quorum.voters=1@127.0.0.1:{controller}",
            f"listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names=CONTROLLER",
            f"log.dirs={self.directory / 'data'}",
            "offsets.topic.replication.factor=1",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "group.initial.rebalance.delay.ms=0",
            *self.settings,
        ]
        self._configuration.write_text("\n".join(lines) + "\n")
        if not (self.directory / "data" / "meta.properties").exists():
            # The id is any 16 bytes in base64; every node of a cluster has the same.
            self._java("kafka.tools.StorageTool", "format", "-t", "c3RlbGUtcGVlci1rYWZrYQ", "-c", self._configuration)

    def command(self):
        heap = [f"-Xms{HEAP}", f"-Xmx{HEAP}", "-XX:+UseG1GC"]
        return ["java", *heap, "-cp", f"{libraries()}/*", "kafka.Kafka", self._configuration]

    def answers(self):
        log = (self.directory / "server.log").read_text(errors="replace")
        return "Kafka Server started" in log or self.connects()

    def environment(self):
        return {"KAFKA_ADDRESS": f"127.0.0.1:{self.port}"}

    @property
    def _configuration(self):
        return self.directory / "server.properties"

    def _java(self, *arguments):
        command = ["java", "-cp", f"{libraries()}/*", *(str(argument) for argument in arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"formatting Kafka's directory failed:\n{done.stdout}\n{done.stderr}")
