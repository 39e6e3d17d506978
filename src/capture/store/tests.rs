use std::io::{Cursor, Read, Seek, SeekFrom};

use super::super::{Capture, CaptureError, Record, RecordKind};
use super::*;
use crate::types::{FeeRate, Nanos, btc_usdt};
use crate::venue::Encoding;
use crate::wire::PaddedBuf;

/// A record as a writer is given it.
fn record(ts: i64, kind: RecordKind, url: &str, message: &str) -> Record {
    let status = if kind == RecordKind::HttpAnswer { 429 } else { 0 };
    let (url, bytes) = (url.to_owned(), message.as_bytes().to_vec());
    Record { ts: Some(Nanos(ts)), kind, url, status, bytes, ..Record::default() }
}

/// Every kind once, on two connections, and some bulk.
fn records() -> Vec<(&'static str, Record)> {
    use RecordKind::*;
    let mut records = vec![
        ("a", record(1, Connect, "wss://host/x", "")),
        ("a", record(2, Sent, "", "{\"op\":\"subscribe\"}")),
        ("a", record(3, Text, "", "{\"x\":1}")),
        ("b", record(4, Binary, "", "\u{0}\u{1}\n\u{2}")),
        ("b", record(5, HttpAnswer, "https://host/y?z=1", "{\n}")),
        ("a", record(6, Tick, "", "")),
        ("b", record(7, Private, "text orders", "{\"token\":\"\"}")),
        ("a", record(8, Decoded, "", "levels")),
        ("a", record(9, Closed, "", "")),
    ];
    records
        .extend((10..400).map(|i| ("a", record(i, Text, "", &format!("{{\"u\":{i},\"s\":\"{}\"}}", i * i)))));
    for (at, (conn, record)) in records.iter_mut().enumerate() {
        record.line = at as u64 + 1;
        record.conn = usize::from(*conn == "b");
    }
    records
}

fn meta() -> StoreMeta {
    let venue = VenueMeta {
        taker: Some(FeeRate(100_000)),
        clock_offset: Some(Nanos(-1_250_000)),
        encoding: Encoding::Sbe,
    };
    StoreMeta {
        version: "9.9".to_owned(),
        source: "import".to_owned(),
        venues: vec![("v.one".to_owned(), venue), ("v.two".to_owned(), VenueMeta::default())],
        instruments: vec![("v.one".to_owned(), btc_usdt())],
        dropped: 3,
        journal: "0a1b".to_owned(),
    }
}

fn write(compression: Compression) -> Vec<u8> {
    let options = StoreOptions { compression, chunk_bytes: 4_000 };
    let mut writer = StoreWriter::new(Cursor::new(Vec::new()), options, &meta()).unwrap();
    let mut padded = PaddedBuf::default();
    for (name, record) in records() {
        let conn = writer.connection("v.one", name);
        writer.write(conn, &record.view(name, "v.one", padded.fill(&record.bytes))).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// What can be read of a container, and what was said to be wrong with it.
fn read(bytes: &[u8]) -> (Vec<Record>, Vec<CaptureError>, StoreMeta, Vec<String>) {
    let mut capture = Capture::new(Box::new(bytes)).unwrap();
    assert_eq!(capture.format(), "mcap");
    let (mut records, mut errors) = (Vec::new(), Vec::new());
    loop {
        let mut record = Record::default();
        match capture.next(&mut record) {
            Ok(true) => records.push(record),
            Ok(false) => break,
            Err(error) => errors.push(error),
        }
        assert!(errors.len() < 1_000, "no end");
    }
    (records, errors, capture.meta().unwrap().clone(), capture.connections().to_vec())
}

#[test]
fn what_is_written_is_read() {
    for compression in [Compression::Lz4, Compression::Zstd, Compression::None] {
        let bytes = write(compression);
        let (got, errors, told, connections) = read(&bytes);
        assert_eq!(errors, [], "{compression:?}");
        let want: Vec<_> = records().into_iter().map(|(_, record)| record).collect();
        assert_eq!(got, want, "{compression:?}");
        assert_eq!(told, meta(), "{compression:?}");
        assert_eq!(connections, ["a", "b"]);
    }
}

#[test]
fn another_reader_agrees() {
    let bytes = write(Compression::Lz4);
    let summary = ::mcap::Summary::read(&bytes).unwrap().unwrap();
    let stats = summary.stats.unwrap();
    assert_eq!(stats.message_count, records().len() as u64);
    assert_eq!((stats.message_start_time, stats.message_end_time), (1, 399));
    assert!(summary.chunk_indexes.len() > 2, "{} chunks", summary.chunk_indexes.len());
    let topics: Vec<_> = summary.channels.values().map(|channel| channel.topic.clone()).collect();
    assert!(topics.contains(&"v.one/b/http".to_owned()), "{topics:?}");
    let times = ::mcap::MessageStream::new(&bytes).unwrap().map(|message| message.unwrap().log_time);
    assert!(times.eq(1..400));
}

/// A file in memory that counts what is read of it.
struct Counted<'a>(Cursor<&'a [u8]>, &'a std::cell::Cell<usize>);

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(into)?;
        self.1.set(self.1.get() + read);
        Ok(read)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

/// What is read from a time on, what was wrong, and how many bytes of the file that took.
fn since(bytes: &[u8], from: i64) -> (Vec<Record>, Vec<CaptureError>, StoreMeta, usize) {
    let count = std::cell::Cell::new(0);
    let mut capture = Capture::since(Counted(Cursor::new(bytes), &count), Nanos(from)).unwrap();
    let (mut records, mut errors) = (Vec::new(), Vec::new());
    loop {
        match capture.advance() {
            Ok(true) => records.push(capture.view().to_record()),
            Ok(false) => break,
            Err(error) => errors.push(error),
        }
    }
    let meta = capture.meta().unwrap().clone();
    drop(capture);
    (records, errors, meta, count.get())
}

#[test]
fn a_part_is_read_by_the_index() {
    for compression in [Compression::Lz4, Compression::Zstd, Compression::None] {
        let bytes = write(compression);
        let want = |from: i64| {
            let records = records().into_iter().map(|(_, record)| record);
            records.filter(|record| record.ts.unwrap().0 >= from).collect::<Vec<_>>()
        };
        // Numbers of messages are those of what was read.
        let plain = |mut records: Vec<Record>| {
            records.iter_mut().for_each(|record| record.line = 0);
            records
        };
        let whole = since(&bytes, 0).3;
        for from in [0, 1, 2, 9, 10, 60, 200, 390, 399, 400, i64::MAX] {
            let (got, errors, told, count) = since(&bytes, from);
            assert_eq!(errors, [], "{compression:?} from {from}");
            assert_eq!(plain(got), plain(want(from)), "{compression:?} from {from}");
            assert_eq!(told, meta(), "{compression:?} from {from}");
            assert!(from < 390 || count < whole - bytes.len() / 3, "{from}: {count} of {whole} bytes");
        }
        // A torn file has no index: read from its start, it has the same records.
        let torn = &bytes[..bytes.len() - 1];
        let (got, errors, ..) = since(torn, 200);
        assert_eq!((plain(got), errors.len()), (plain(want(200)), 1), "{compression:?}");
    }
}

#[test]
fn an_index_that_is_damaged_is_not_followed() {
    let bytes = write(Compression::None);
    let want: Vec<_> = read(&bytes).0.into_iter().filter(|record| record.ts >= Some(Nanos(200))).collect();
    let chunks = ::mcap::Summary::read(&bytes).unwrap().unwrap().chunk_indexes;
    let end = chunks.iter().map(|chunk| chunk.message_index_offsets.values().max()).max().flatten().unwrap();
    let end = usize::try_from(*end).unwrap() + 2_000;
    assert!(end < bytes.len());
    let mut random = oorandom::Rand32::new(3);
    for _ in 0..500 {
        let mut bytes = bytes.clone();
        let at = end + random.rand_range(0..(bytes.len() - end) as u32) as usize;
        bytes[at] ^= 1 << random.rand_range(0..8);
        let (got, ..) = since(&bytes, 200);
        let texts = |records: &[Record]| records.iter().map(|one| one.bytes.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&got), texts(&want), "byte {at}");
    }
}

/// Cut at every byte of its last chunk and behind it: what came before that chunk is read, what is
/// read is what was written, and the tear is told.
#[test]
fn a_container_cut_anywhere_opens_and_says_so() {
    for compression in [Compression::Lz4, Compression::Zstd, Compression::None] {
        let bytes = write(compression);
        let summary = ::mcap::Summary::read(&bytes).unwrap().unwrap();
        let last = summary.chunk_indexes.iter().max_by_key(|chunk| chunk.chunk_start_offset).unwrap();
        let start = usize::try_from(last.chunk_start_offset).unwrap();
        let chunk_end = start + usize::try_from(last.chunk_length).unwrap();
        let want: Vec<_> = records().into_iter().map(|(_, record)| record).collect();
        let before = want.iter().filter(|r| r.ts.unwrap().0 < last.message_start_time as i64).count();
        assert!(before > 100 && before < want.len());
        let mut most = 0;
        for cut in start..bytes.len() {
            let (got, errors, ..) = read(&bytes[..cut]);
            assert_eq!(errors.len(), 1, "{compression:?} cut at {cut}: {errors:?}");
            assert!(got.len() >= before && got[..] == want[..got.len()], "{compression:?} cut at {cut}");
            if cut < chunk_end {
                most = most.max(got.len());
                assert!(
                    errors[0].to_string().contains("missing") || errors[0].to_string().contains("are there"),
                    "{errors:?}"
                );
            } else {
                assert_eq!(got.len(), want.len(), "{compression:?} cut at {cut}");
            }
        }
        // A part of the torn chunk is read, too, where its bytes can be decoded one by one.
        assert!(compression != Compression::None || most > before, "{compression:?}");
    }
}

#[test]
fn damage_is_found_and_ends() {
    let bytes = write(Compression::Lz4);
    let whole = read(&bytes).0.len();
    let mut random = oorandom::Rand32::new(7);
    for _ in 0..300 {
        let mut bytes = bytes.clone();
        let at = MAGIC.len() + random.rand_range(0..(bytes.len() - MAGIC.len()) as u32) as usize;
        bytes[at] ^= 1 << random.rand_range(0..8);
        let (got, ..) = read(&bytes);
        assert!(got.len() <= whole);
    }
}
