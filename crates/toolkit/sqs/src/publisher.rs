//! Publishing.

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures_util::future::join_all;
use stele_toolkit_bus::{KeyedBatch, Outgoing, TransportError};

use crate::{
    Order,
    errors::{refused, translate, translate_entry, unsupported},
    fields::{Encoded, encode},
    queues::{Queue, Queues},
};

/// How many messages a request takes.
pub(crate) const BATCH_MAX: usize = 10;

/// A copy of a message for one queue.
#[derive(Clone, Debug)]
struct Copy {
    index: usize,
    queue: Queue,
    encoded: Encoded,
    delay_seconds: i32,
}

impl Queues {
    pub(crate) async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let mut sending = KeyedBatch::new(batch);
        loop {
            let round = sending.next_round();
            if round.is_empty() {
                return sending.into_results();
            }
            let mut copies = Vec::new();
            for index in round {
                match self.copies(index, &batch[index]).await {
                    // Of a topic that nobody subscribes to.
                    Ok(none) if none.is_empty() => sending.settle(index, Ok(())),
                    Ok(some) => copies.extend(some),
                    Err(error) => sending.settle(index, Err(error)),
                }
            }
            let mut results: Vec<_> = self.send(copies).await;
            // A message is sent once all of its copies are: failures come last.
            results.sort_by_key(|(index, result)| (*index, result.is_err()));
            for (index, result) in results {
                sending.settle(index, result);
            }
        }
    }

    /// A message's copies, one for each queue that it goes to.
    async fn copies(&self, index: usize, message: &Outgoing) -> Result<Vec<Copy>, TransportError> {
        let delay_max = self.settings.order.delay_max();
        if message.delay > delay_max {
            return Err(unsupported(format!("a delay of {:?}", message.delay)));
        }
        let encoded = encode(message, self.settings.order == Order::ByKey)?;
        let (size, size_max) = (encoded.size_bytes, self.settings.message_bytes_max);
        if size > size_max {
            return Err(refused(format!(
                "a message of {size} bytes: at most {size_max} are allowed"
            )));
        }
        let delay_seconds = message.delay.as_millis().div_ceil(1000);
        let delay_seconds = i32::try_from(delay_seconds).unwrap_or(i32::MAX);
        let targets = self.targets(&message.to).await?;
        let copy = |queue| Copy {
            index,
            queue,
            encoded: encoded.clone(),
            delay_seconds,
        };
        Ok(targets.into_iter().map(copy).collect())
    }

    /// Sends copies at the same time, and returns what came of each.
    async fn send(&self, mut copies: Vec<Copy>) -> Vec<(usize, Result<(), TransportError>)> {
        copies.sort_by(|a, b| a.queue.cmp(&b.queue));
        let mut requests: Vec<Vec<Copy>> = Vec::new();
        let mut size_bytes = 0;
        for copy in copies {
            let size = copy.encoded.size_bytes;
            match requests.last_mut() {
                Some(request)
                    if request.len() < BATCH_MAX
                        && request[0].queue == copy.queue
                        && size_bytes + size <= self.settings.message_bytes_max =>
                {
                    size_bytes += size;
                    request.push(copy);
                }
                _ => {
                    size_bytes = size;
                    requests.push(vec![copy]);
                }
            }
        }
        let sent = requests.into_iter().map(|request| self.send_batch(request));
        join_all(sent).await.into_iter().flatten().collect()
    }

    /// Sends copies to one queue.
    async fn send_batch(&self, copies: Vec<Copy>) -> Vec<(usize, Result<(), TransportError>)> {
        let queue = copies[0].queue.clone();
        let results = self.send_entries(&queue, &copies).await;
        if let Err(TransportError::NoSuchDestination { .. }) = &results {
            self.forget(&queue);
        }
        match results {
            Ok(results) => copies.iter().map(|copy| copy.index).zip(results).collect(),
            Err(error) => {
                let indices = copies.iter().map(|copy| copy.index);
                indices.map(|index| (index, Err(error.clone()))).collect()
            }
        }
    }

    async fn send_entries(
        &self,
        queue: &Queue,
        copies: &[Copy],
    ) -> Result<Vec<Result<(), TransportError>>, TransportError> {
        let entries = copies.iter().enumerate();
        let entries = entries.map(|(number, copy)| copy.entry(number, self.settings.order));
        let entries: Result<Vec<_>, _> = entries.collect();
        let sending = self.client.send_message_batch().queue_url(&queue.url);
        let sent = sending.set_entries(Some(entries?)).send().await;
        let sent = sent.map_err(|error| translate(&error, &queue.name))?;
        let not_told = || Err(refused("the endpoint doesn't tell what became of it"));
        let mut results: Vec<_> = copies.iter().map(|_| not_told()).collect();
        for sent in sent.successful() {
            set(&mut results, sent.id(), Ok(()));
        }
        for failed in sent.failed() {
            let error = translate_entry(failed, &queue.name);
            set(&mut results, failed.id(), Err(error));
        }
        Ok(results)
    }
}

impl Copy {
    fn entry(
        &self,
        number: usize,
        order: Order,
    ) -> Result<SendMessageBatchRequestEntry, TransportError> {
        let mut entry = SendMessageBatchRequestEntry::builder()
            .id(number.to_string())
            .message_body(&self.encoded.body);
        for attribute in &self.encoded.attributes {
            entry = entry.message_attributes(&attribute.name, attribute.value.clone());
        }
        entry = match order {
            Order::ByKey => entry
                .message_group_id(&self.encoded.group)
                .message_deduplication_id(&self.encoded.deduplication),
            Order::None => entry.delay_seconds(self.delay_seconds),
        };
        entry.build().map_err(|error| refused(error.to_string()))
    }
}

fn set(results: &mut [Result<(), TransportError>], id: &str, result: Result<(), TransportError>) {
    let number: Option<usize> = id.parse().ok();
    if let Some(place) = number.and_then(|number| results.get_mut(number)) {
        *place = result;
    }
}
