//! What a shard sends when a record is moved to another shard's log, the first time and again.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use smallvec::smallvec;
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, Timestamp};
use stele_core_broker::{
    LinkInbox, LinkNews, MoveMessages, MovedMessage, News, ORIGIN_HEADER, Opened, Read, ReplyTo,
    Request, Shard, Share, origin_of,
};
use stele_core_engine::{
    Append, AppendTarget, Columns, HeaderChange, LedgerId, OpenLog, Schedule, Trim, TrimReason,
};
use stele_core_storage::{Journal, Options};
use stele_test_testkit::{first_shard, queue};
use stele_wire_batch::{
    Batch, BatchBuilder, Body, DECOMPRESSED_SIZE_BYTES_MAX, NewRecord, Record, RecordHeader,
};
use tokio::sync::oneshot;

/// A log on the shard under test.
const HERE: LogId = LogId(2);

/// A log on the other shard.
const THERE: LogId = LogId(3);

const START: Timestamp = Timestamp(1_700_000_000_000);

const PARTITION: PartitionId = PartitionId {
    log: HERE,
    index: PartitionIndex(0),
};

/// The first of two shards, its writer, and what it has sent to the second.
struct First {
    shard: Shard,
    writer: Box<dyn Journal>,
    to_second: LinkInbox,
}

impl First {
    fn open(path: &Path) -> Self {
        let to_second = LinkInbox::default();
        let links = vec![Arc::default(), Arc::clone(&to_second)];
        let opened = first_shard(path, &Options::default(), Arc::default(), links, START);
        let Opened { shard, writer, .. } = opened;
        Self {
            shard,
            writer,
            to_second,
        }
    }

    fn handle(&mut self, request: Request) {
        self.shard.handle(request, START);
        while let Some(block) = self.shard.take_block(START) {
            let written = self.writer.append(&block).unwrap();
            self.shard.news(News::Written(written), START);
        }
        let next = self.writer.sync().unwrap();
        self.shard.news(News::Synced(next), START);
    }

    fn append(&mut self, batch: Batch) {
        let body = batch.into_bytes();
        let append = Append {
            targets: smallvec![AppendTarget {
                log: HERE,
                partition: None,
            }],
            count: 3,
            size_bytes: body.len() as u32,
            timestamp: START,
            producer: None,
            columns: Columns::default(),
        };
        self.handle(Request::Append {
            append,
            body,
            reply: ReplyTo::Call(oneshot::channel().0),
            room: Share::NONE,
        });
    }

    fn records(&mut self) -> Vec<Record> {
        let (reply, mut answer) = oneshot::channel();
        let read = Read {
            partition: PARTITION,
            from: Offset(0),
            bytes_max: 1 << 20,
        };
        let reads = vec![read];
        self.handle(Request::Read { reads, reply });
        let read = answer.try_recv().unwrap().pop().unwrap().unwrap();
        let batches = read.resolve_blocking().unwrap();
        let records = batches[0].records(DECOMPRESSED_SIZE_BYTES_MAX).unwrap();
        records.map(Result::unwrap).collect()
    }

    /// The body of the one command in flight.
    fn sent(&self) -> Option<Bytes> {
        let mut news = Vec::new();
        self.to_second.take(&mut news);
        match <[_; 1]>::try_from(news) {
            Ok([LinkNews::Command { body, .. }]) => body,
            other => panic!("{other:?}"),
        }
    }
}

fn header<'a>(key: &'a str, value: &'a str) -> RecordHeader<'a> {
    RecordHeader {
        key: key.as_bytes(),
        value: Some(value.as_bytes()),
    }
}

fn change(key: &str, value: Option<&str>) -> HeaderChange {
    HeaderChange {
        key: key.as_bytes().into(),
        value: value.map(|value| value.as_bytes().into()),
    }
}

#[test]
fn what_is_sent_again_is_what_was_sent_for_as_long_as_it_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = First::open(directory.path());
    let config = queue("here", stele_core_engine::Durability::Synced).config;
    first.handle(Request::tell(OpenLog { log: HERE, config }));
    let mut batch = BatchBuilder::new();
    for (place, value) in ["a", "b", "c"].into_iter().enumerate() {
        let headers = [
            header("stays", value),
            header("goes", "1"),
            header("changes", "2"),
            header("goes", "3"),
        ];
        let record = NewRecord {
            timestamp: START.plus_ms(place as u64),
            key: Some(b"key"),
            value: Body::Whole(value.as_bytes()),
            headers: &headers,
        };
        batch.push(&record).unwrap();
    }
    first.append(batch.finish());

    let (ledger, to) = (LedgerId::DEFAULT, [THERE].into_iter().collect());
    let mut messages = MoveMessages::new(HERE, ledger, PARTITION.index, to);
    let records = first.records();
    for (record, changed) in records.into_iter().skip(1).zip(["4", "5"]) {
        let message = MovedMessage {
            record,
            lease: None,
            headers: vec![change("goes", None), change("changes", Some(changed))],
            schedule: Schedule::default(),
        };
        messages.push(message).unwrap();
    }
    let (request, mut answer) = messages.request().unwrap();
    first.handle(request);
    assert_eq!(answer.try_recv().unwrap().unwrap(), 2);
    let sent = first.sent().unwrap();
    assert_eq!(first.shard.link_backlog_bytes(), sent.len() as u64);

    let batch = Batch::new(sent.clone()).unwrap();
    let records = batch.records(DECOMPRESSED_SIZE_BYTES_MAX).unwrap();
    let records: Vec<Record> = records.map(Result::unwrap).collect();
    let expected = [("b", "4", "2/0/1"), ("c", "5", "2/0/2")];
    for (place, (record, (value, changed, origin))) in (1..).zip(records.iter().zip(expected)) {
        assert_eq!(record.timestamp, START.plus_ms(place));
        assert_eq!(record.key.as_deref(), Some(&b"key"[..]));
        assert_eq!(record.value.as_deref(), Some(value.as_bytes()));
        let headers: Vec<_> = record.headers.iter().collect();
        let kept = [header("stays", value), header("changes", changed)];
        assert_eq!(headers, [kept[0], kept[1], header(ORIGIN_HEADER, origin)]);
        assert_eq!(origin_of(record), Some((PARTITION, Offset(place))));
    }

    first.shard.resend();
    assert_eq!(first.sent(), Some(sent.clone()));
    drop(first);
    let mut first = First::open(directory.path());
    first.shard.resend();
    assert_eq!(first.sent(), Some(sent));

    first.handle(Request::tell(Trim {
        partition: PARTITION,
        to: Offset(2),
        reason: TrimReason::Asked,
    }));
    first.shard.resend();
    assert_eq!(first.sent(), None);
}
