"""The SQS sender of the seed notes, unchanged between the two rules."""

import sys

order_json = sys.argv[1]
# ------------------------------------------------------------------------------------------
import boto3

sqs = boto3.client('sqs')
queue_url = 'https://sqs.us-east-1.amazonaws.com/123456789/orders'

# Send message
sqs.send_message(
    QueueUrl=queue_url,
    MessageBody=order_json,
    MessageAttributes={
        'OrderType': {'DataType': 'String', 'StringValue': 'standard'}
    }
)
# ------------------------------------------------------------------------------------------
