//! Limits of a channel, over plain sockets: an answer or the log names the one that was met.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use e2e::process::{Server, free_address, isthmus, pause};

use crate::mllp::PATIENCE;

const MARKER: &str = "Zx9MarkerQ";

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// What comes until the connection ends.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // What was not read may make it a reset.
    stream.read_to_end(&mut bytes).ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn wait_for(server: &Server, parts: &[&str]) -> String {
    let began = Instant::now();
    loop {
        let log = std::fs::read_to_string(&server.log).expect("a log");
        if parts.iter().all(|it| log.contains(it)) {
            return log;
        }
        assert!(began.elapsed() < PATIENCE, "{parts:?}: {log}");
        pause();
    }
}

#[test]
fn limits_are_told_by_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, secret) = (free_address(), free_address());
    let tls = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/agents/tests/mllp/tls"
    );
    let text = format!(
        "[[hl7v2.channel]]\nname = \"lab\"\nlisten = \"{address}\"\nconnections_max = 2\n\
         message_bytes_max = \"1k\"\nidle_timeout_ms = 700\nframe_timeout_ms = 300\n\
         [[hl7v2.channel]]\nname = \"secret\"\nlisten = \"{secret}\"\ntls_certificate = \"{tls}/server.pem\"\n\
         tls_key = \"{tls}/server.key\"\ntls_client_ca = \"{tls}/ca.pem\"\nframe_timeout_ms = 300\n"
    );
    let file = folder.path().join("isthmus.toml");
    std::fs::write(&file, text).expect("a file");
    let arguments = ["--config", file.to_str().expect("UTF-8")];
    let server = Server::start_with(isthmus(), &folder.path().join("data"), &arguments);
    let (mut slow, mut large) = (connect(address), connect(address));
    // Two are open: a third is closed at once, and others after it are not told again.
    for _ in 0..3 {
        assert_eq!(rest(connect(address)), "");
    }
    slow.write_all(format!("\x0bMSH|{MARKER}").as_bytes())
        .expect("it is taken");
    let header = "MSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\r";
    let message = format!("\x0b{header}PID|{}{MARKER}\r\x1c\r", "x".repeat(2_000));
    large.write_all(message.as_bytes()).expect("it is taken");
    let answered = rest(slow);
    assert!(answered.contains("within `frame_timeout_ms`"), "{answered}");
    // It is answered, and then idle.
    let answered = rest(large);
    let told = "|the message has more than 1024 bytes (`message_bytes_max`)";
    assert!(
        answered.contains("MSA|AE|1|") && answered.contains(told),
        "{answered}"
    );
    let mut plain = connect(secret);
    plain.write_all(message.as_bytes()).ok();
    rest(plain);
    assert_eq!(rest(connect(secret)), "");
    let log = wait_for(
        &server,
        &[
            "a connection is refused: `connections_max` are open channel=lab max=2",
            "the message did not come to its end within `frame_timeout_ms`",
            "a connection is closed: it was idle for `idle_timeout_ms` channel=lab",
            "a connection is refused: TLS was not agreed on channel=secret",
            "a connection is refused: TLS took longer than `frame_timeout_ms` channel=secret",
        ],
    );
    assert_eq!(log.matches("`connections_max`").count(), 1, "{log}");
    assert!(!log.contains(MARKER), "{log}");
    // Who was sent away may come again.
    let mut again = connect(address);
    again
        .write_all(format!("\x0b{header}\x1c\r").as_bytes())
        .expect("it is taken");
    assert!(rest(again).contains("MSA|AA|1"));
}
