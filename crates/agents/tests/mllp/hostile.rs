//! Bytes of those who do not keep to the protocol: a clear answer or the end of the connection, never
//! a panic, and the channel serves the next one.

use agents::mllp::frame::framed;
use interactions::channel::State;
use tokio::io::AsyncWriteExt;

use crate::world::{World, admission, shown};

const VT: u8 = 0x0b;
const FS: u8 = 0x1c;

/// Bytes as they are sent.
const STREAMS: &[(&str, &[u8])] = &[
    ("nothing", b""),
    ("CR alone", b"\r"),
    ("FS CR alone", b"\x1c\r"),
    ("VT alone", b"\x0b"),
    ("VT FS", b"\x0b\x1c"),
    ("VT VT VT", b"\x0b\x0b\x0b"),
    ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    (
        "text without frame",
        b"MSH|^~\\&|A|B|C|D|||ADT^A01|1|P|2.5\r",
    ),
];

/// Content of well-formed frames.
const CONTENTS: &[(&str, &[u8])] = &[
    ("empty", b""),
    ("blank", b" "),
    ("only CR", b"\r\r\r"),
    ("NUL", b"\0\0\0\0"),
    ("MSH alone", b"MSH"),
    ("MSH and a separator", b"MSH|"),
    ("three separators", b"MSH|^~"),
    ("equal separators", b"MSH||||||"),
    ("control separators", b"MSH\x01\x02\x03\x04\x05"),
    ("letters as separators", b"MSHabcdefghijk"),
    ("no type", b"MSH|^~\\&|a|b|c|d|||||P|2.5"),
    ("no control id", b"MSH|^~\\&|a|b|c|d|||ADT^A01||P|2.5"),
    ("no version", b"MSH|^~\\&|a|b|c|d|||ADT^A01|1|P|"),
    ("version of words", b"MSH|^~\\&|a|b|c|d|||ADT^A01|1|P|two"),
    (
        "version 99999999999999999999",
        b"MSH|^~\\&|a|b|c|d|||ADT^A01|1|P|99999999999999999999.1",
    ),
    (
        "wrong MSH-15",
        b"MSH|^~\\&|a|b|c|d|||ADT^A01|1|P|2.5|||XX|YY",
    ),
    (
        "wrong charset",
        b"MSH|^~\\&|a|b|c|d|||ADT^A01|1|P|2.5||||||UNICODE UTF-16",
    ),
    ("UTF-16", b"\xff\xfeM\0S\0H\0|\0^\0~\0"),
    ("not UTF-8", b"MSH|^~\\&|\xff\xfe|b|c|d|||ADT^A01|1|P|2.5"),
    ("PID first", b"PID|1\rMSH|^~\\&|"),
    ("batch of nothing", b"BHS|^~\\&\rBTS|0\r"),
    ("batch that lost one", b"BHS|^~\\&\rMSH|^~\\&|1\rBTS|7\r"),
    (
        "batch without trailer",
        b"FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|1\r",
    ),
    ("FHS alone", b"FHS"),
    ("BHS alone", b"BHS"),
    (
        "batches in a file",
        b"FHS|^~\\&\rBHS|^~\\&\rBTS|0\rBHS|^~\\&\rBTS|0\rFTS|2\r",
    ),
    ("batch of garbage", b"BHS|^~\\&\rMSH\rMSH|\rMSH|^\rBTS|3\r"),
    ("JSON", b"{\"resourceType\":\"Patient\"}"),
    ("XML", b"<MSH/>"),
];

const SIZES: [usize; 9] = [1, 100, 4_095, 4_096, 4_097, 8_192, 65_536, 70_000, 1 << 20];

/// All kinds, each with the bytes that are sent.
fn kinds() -> Vec<(String, Vec<u8>)> {
    let mut kinds: Vec<(String, Vec<u8>)> = Vec::new();
    kinds.extend(
        STREAMS
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())),
    );
    kinds.extend(
        CONTENTS
            .iter()
            .map(|(name, content)| (format!("frame: {name}"), framed(content))),
    );
    kinds.extend(SIZES.into_iter().flat_map(of_size));
    // A good message, cut off and with one byte replaced, at many places.
    let whole = framed(&admission("h", "hp", "H", ""));
    let cuts = (1..whole.len()).step_by(7);
    kinds.extend(cuts.map(|cut| (format!("cut at {cut}"), whole[..cut].to_vec())));
    for place in (0..whole.len()).step_by(5) {
        for byte in [VT, FS, 0, b'\r', 0xff] {
            let mut bytes = whole.clone();
            bytes[place] = byte;
            kinds.push((format!("byte {place} is {byte}"), bytes));
        }
    }
    kinds
}

fn of_size(size: usize) -> [(String, Vec<u8>); 4] {
    let mut header = b"MSH|^~\\&|".to_vec();
    header.resize(size + 9, b'y');
    let mut endless = vec![b'z'; size + 1];
    endless[0] = VT;
    [
        (format!("{size} bytes of x"), framed(&vec![b'x'; size])),
        (format!("a header of {size} bytes"), framed(&header)),
        (format!("{size} bytes without end"), endless),
        (format!("{size} bytes between frames"), vec![b'-'; size]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bytes_are_answered_or_dropped() {
    let limits = [
        ("library", "one"),
        ("message_bytes_max", "64k"),
        ("frame_timeout_ms", "60000"),
    ];
    let world = World::new(&limits).await;
    let kinds = kinds();
    assert!(kinds.len() >= 100, "{}", kinds.len());
    for (name, bytes) in &kinds {
        let mut client = world.connect().await;
        // The channel may have closed its end already.
        client.stream.write_all(bytes).await.ok();
        client.stream.shutdown().await.ok();
        while let Some(answer) = client.answer().await {
            let header = answer.lines().next().unwrap_or_default();
            let answers = ["MSA|A", "BHS|", "FHS|"];
            let is_answer = answers
                .iter()
                .any(|it| answer.contains(it) || answer.contains("MSA"));
            assert!(header.len() > 8 && is_answer, "{name}: {answer}");
        }
    }
    println!("{} hostile kinds", kinds.len());
    let mut client = world.connect().await;
    assert_eq!(
        client.ask(&admission("last", "p9", "Z", "")).await,
        "MSA|AA|last"
    );
    let states = world.settled().await;
    assert_eq!(states.last().map(|it| it.1), Some(State::Stored));
    assert_eq!(world.patient("p9").await, Some((1, "Z".to_owned())));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_or_too_many_is_sent_away() {
    let limits = [
        ("frame_timeout_ms", "200"),
        ("idle_timeout_ms", "300"),
        ("connections_max", "2"),
    ];
    let world = World::new(&limits).await;
    let mut slow = world.connect().await;
    slow.stream.write_all(b"\x0bMSH|").await.unwrap();
    let mut idle = world.connect().await;
    let mut third = world.connect().await;
    assert_eq!(shown(third.answer().await), "closed");
    let answer = shown(slow.answer().await);
    assert!(answer.contains("`frame_timeout_ms`"), "{answer}");
    assert_eq!(shown(slow.answer().await), "closed");
    assert_eq!(shown(idle.answer().await), "closed");
    let mut text = String::new();
    world.metrics.print(&mut text);
    assert!(
        text.contains(
            "isthmus_hl7v2_refused_connections_total{tenant=\"default\",channel=\"lab\"} 1"
        ),
        "{text}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_beyond_the_limit_is_refused_with_its_control_id_and_the_next_is_taken() {
    let world = World::new(&[("message_bytes_max", "1k")]).await;
    let mut client = world.connect().await;
    let answer = client
        .ask(&admission("big", "p", &"x".repeat(5_000), ""))
        .await;
    assert!(
        answer.starts_with("MSA|AE|big|the message has more than 1024 bytes"),
        "{answer}"
    );
    assert_eq!(
        client.ask(&admission("small", "p", "x", "")).await,
        "MSA|AA|small"
    );
    world.end().await;
}
