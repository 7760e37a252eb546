"""The RabbitMQ consumer of the seed notes, unchanged between the two rules."""


def process_order(body):
    print(body.decode(), flush=True)


# ------------------------------------------------------------------------------------------
import pika

connection = pika.BlockingConnection(pika.ConnectionParameters('localhost'))
channel = connection.channel()

channel.queue_declare(queue='orders', durable=True)

def callback(ch, method, properties, body):
    process_order(body)
    ch.basic_ack(delivery_tag=method.delivery_tag)

channel.basic_consume(queue='orders', on_message_callback=callback)
channel.start_consuming()
# ------------------------------------------------------------------------------------------
