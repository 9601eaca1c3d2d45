//! No content of a message in logs or metrics: markers come in by MLLP and go out, in every way that is
//! wrong, and the log of the real binary is searched.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use e2e::http::Connection;
use e2e::process::{Server, free_address, isthmus, pause};

use crate::mllp::PATIENCE;

/// Stands for everything that could identify a person; the table writes it as `@`.
const MARKER: &str = "Zx9MarkerQ";

/// What frames hold, and where the rest of the frame is at fault.
const FRAMES: &[&str] = &[
    "\x0bMSH|^~\\&|@|@|@|@|20260101||ADT^A01^ADT_A01|@1|P|2.5\rPID|1||@^^^@||@^@||@|@\r\x1c\r",
    "\x0bMSH|^~\\&|@|@|@|@|20260101||ADT^A01^ADT_A01|@1|P|2.5\rPID|1||@2^^^@\r\x1c\r",
    "\x0bMSH|^~\\&|@|@|@|@|@||ADT^A01^ADT_A01|@2|P|2.5|||AL|AL\rEVN||@\rPID|1||@^^^@||@\rPV1|1|@\r\x1c\r",
    "\x0bMSH|^~\\&|@|@|@|@|||ADT^@|@3|P|2.5\rPID|1||@\r\x1c\r",
    "\x0bMSH|^~\\&|@|@|@|@|||ADT^A01|@4|P|@\rPID|1||@\r\x1c\r",
    "\x0bMSH|^~\\&|@|@|@|@|||ADT^A01|@5|P|2.5||||||@\rPID|1||@\r\x1c\r",
    "\x0bMSH|^~\\&|@|@|@|@|||ADT^A01|@6|P|2.5|||@|@\rPID|1||@\r\x1c\r",
    "\x0bMSH|^~\\&|@|@|@|@|||ADT^A01||P|2.5\rPID|1||@\r\x1c\r",
    "\x0bBHS|^~\\&|@|@|@|@|||||@\rMSH|^~\\&|@|@|@|@|||ADT^A01|@7|P|2.5\rPID|1||@\rBTS|2|@\r\x1c\r",
    "\x0bFHS|^~\\&|@|@\rBHS|^~\\&|@|@\rMSH|^~\\&|@|@|@|@|||ADT^A01|@8|P|2.5\rPID|1||@\rBTS|1\rFTS|1\r\x1c\r",
    "\x0b@\x1c\r",
    "@ between frames \x0bMSH|^~\\&|@\x1c@",
    "\x0bMSH|^~\\&|@|@|@|@|||ADT^A01|@9|P|2.5\r@LONG\x1c\r",
    "\x0bMSH|^~\\&|@ and the end",
    "GET /@ HTTP/1.1\r\n\r\n",
];

/// Sends a frame and takes what is answered.
fn send(address: SocketAddr, frame: &str) {
    let frame = frame
        .replace("@LONG", &MARKER.repeat(400))
        .replace('@', MARKER);
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(frame.as_bytes()).expect("it is taken");
    stream
        .shutdown(std::net::Shutdown::Write)
        .expect("it is open");
    stream.read_to_end(&mut Vec::new()).ok();
}

/// A receiver that refuses every message with words of its own.
fn refusing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut bytes = [0; 4096];
            while stream.read(&mut bytes).is_ok_and(|count| count > 0) {
                let answer = format!(
                    "\x0bMSH|^~\\&|{MARKER}|B|C|D|||ACK|1|P|2.5\rMSA|AE|{MARKER}|{MARKER}\r\
                     ERR||PID^1|{MARKER}|E||||{MARKER}\r\x1c\r"
                );
                if stream.write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    address
}

/// Waits until nothing is only received; gives the texts that tell what became of the messages.
fn wait_until_settled(connection: &mut Connection, path: &str, count: usize) -> Vec<String> {
    let began = Instant::now();
    loop {
        let page = connection.get(path).expect("an answer").json();
        let messages = page["messages"].as_array().expect("a list");
        let is_settled = messages.iter().all(|it| it["state"] != "received");
        if messages.len() >= count && is_settled {
            let told = messages.iter().map(|it| it["what"].as_str().unwrap_or(""));
            return told.map(str::to_owned).collect();
        }
        assert!(began.elapsed() < PATIENCE, "{count}: {page}");
        pause();
    }
}

#[test]
fn no_marker_of_a_message_reaches_the_log_or_the_metrics() {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, to) = (free_address(), refusing());
    let text = format!(
        "[[hl7v2.channel]]\nname = \"lab\"\nlisten = \"{address}\"\nlibrary = \"hl7v2\"\n\
         message_bytes_max = \"2k\"\nreused_control_id = \"refuse\"\n\
         [[hl7v2.destination]]\nname = \"ris\"\nconnect = \"{to}\"\nrefused_max = 2\n"
    );
    let file = folder.path().join("isthmus.toml");
    std::fs::write(&file, text).expect("a file");
    let arguments = [
        "--config",
        file.to_str().expect("UTF-8"),
        "--log-level",
        "debug",
    ];
    let server = Server::start_with(isthmus(), &folder.path().join("data"), &arguments);
    for frame in FRAMES {
        send(address, frame);
    }
    let mut connection = server.connect();
    let out = "/admin/hl7v2/destinations/ris/messages";
    for message in [
        "MSH|^~\\&|@|@|C|D|20260101||ADT^A01|@|P|2.5\rPID|1||@||@\r",
        "MSH|^~\\&|@|@|C|D|20260101||ADT^A01|@|P|@\rPID|1||@||@\r",
        "PID|@",
    ] {
        let message = message.replace('@', MARKER);
        connection.send("POST", out, &message).expect("an answer");
    }
    let log = "/admin/hl7v2/channels/lab/messages";
    let mut told = wait_until_settled(&mut connection, log, 5);
    told.extend(wait_until_settled(&mut connection, out, 1));
    assert!(
        told.iter().any(|it| it == "the receiver answered AE"),
        "{told:?}"
    );
    told.push(connection.get("/metrics").expect("an answer").text());
    let log = server.log.clone();
    server.stop().expect("it stops");
    told.push(std::fs::read_to_string(log).expect("a log"));
    for text in &told {
        let is_clean = !text.to_lowercase().contains(&MARKER.to_lowercase());
        assert!(is_clean, "{text}");
    }
    println!("isthmus-suite: markers by MLLP: {} cases", FRAMES.len());
}
