"""The RabbitMQ producer of the seed notes, unchanged between the two rules."""

import sys

order_json = sys.argv[1]
# ------------------------------------------------------------------------------------------
import pika

connection = pika.BlockingConnection(pika.ConnectionParameters('localhost'))
channel = connection.channel()

channel.queue_declare(queue='orders', durable=True)
channel.basic_publish(
    exchange='',
    routing_key='orders',
    body=order_json,
    properties=pika.BasicProperties(delivery_mode=2) # Persistent
)
# ------------------------------------------------------------------------------------------
