"""ElasticMQ from Maven Central: SQS over HTTP, in memory."""

import urllib.error
import urllib.request

from peers.process import Peer, maven_libraries

VERSION = "1.7.1"


def libraries():
    return maven_libraries("elasticmq", f"org.elasticmq:elasticmq-server_2.13:{VERSION}")


class ElasticMq(Peer):
    """Keeps its messages only in memory, as is usual; `durable` keeps them in a database file."""

    name = f"ElasticMQ {VERSION}"

    def __init__(self, directory, durable=False):
        super().__init__(directory)
        self.durable = durable

    def install(self):
        libraries()

    def prepare(self):
        lines = [
            'include classpath("application.conf")',
            f'node-address {{ protocol = http, host = "127.0.0.1", port = {self.port}, context-path = "" }}',
            f'rest-sqs {{ enabled = true, bind-hostname = "127.0.0.1", bind-port = {self.port}, sqs-limits = strict }}',
            "rest-stats { enabled = false }",
        ]
        if self.durable:
            lines.append(f'messages-storage {{ enabled = true, uri = "jdbc:h2:{self.directory / "messages"}" }}')
        (self.directory / "elasticmq.conf").write_text("\n".join(lines) + "\n")

    def command(self):
        configuration = f"-Dconfig.file={self.directory / 'elasticmq.conf'}"
        return ["java", configuration, "-cp", f"{libraries()}/*", "org.elasticmq.server.Main"]

    def answers(self):
        return answers_http(f"{self.environment()['SQS_URL']}/?Action=ListQueues")

    def environment(self):
        return {"SQS_URL": f"http://127.0.0.1:{self.port}"}


def answers_http(url):
    """Whether an HTTP server responds there, with any status."""
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
