//! What peers may do to their connections, and what they cannot do to others'.

use crate::support::{Client, Frontend, LIVE, accounts};
use florin_api::Connections;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// Whatever still comes until the other side closes.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .expect("the connection is closed");
    bytes
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_kept_connections() {
    let frontend = Frontend::start().await;
    for alpn in [&b"http/1.1"[..], b"h2"] {
        let mut client = Client::tls(frontend.api, &frontend.trust, alpn, LIVE).await;
        let accounts = accounts(&mut client).await;
        let path = format!("/v1/accounts/{}/balance", accounts.wallet);
        assert_eq!(client.found(&path).await["balance"], "1000");
    }
}

#[tokio::test]
async fn malformed_bytes_end_their_own_connection_only() {
    let frontend = Frontend::start().await;
    let mut other = frontend.client().await;
    assert_eq!(other.get("/v1/accounts").await.status, 200);
    let mut garbage = TcpStream::connect(frontend.api).await.expect("connected");
    garbage
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("sent");
    rest(&mut garbage).await;
    for alpn in [&b"http/1.1"[..], b"h2"] {
        let mut stream = frontend.trust.connect(frontend.api, alpn).await;
        stream
            .write_all(b"\x00\xff\x00nonsense\r\n\r\n\r\n\r\n\r\n\r\n")
            .await
            .expect("sent");
        rest(&mut stream).await;
    }
    assert_eq!(
        other.get("/v1/accounts").await.status,
        200,
        "the others live"
    );
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let frontend = Frontend::start().await;
    let mut stream = TcpStream::connect(frontend.api).await.expect("connected");
    // A ClientHello that offers TLS 1.2 and one cipher suite, without any extension.
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    stream.write_all(&hello).await.expect("sent");
    let alert = rest(&mut stream).await;
    assert_eq!(alert.first(), Some(&0x15), "an alert: {alert:?}");
}

#[tokio::test]
async fn large_bodies_are_refused_and_the_refusal_is_heard() {
    let frontend = Frontend::start().await;
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    for (path, bytes) in [
        ("/v1/payments", 1024 * 1024 + 1),
        ("/v1/payments", 4 * 1024 * 1024),
        ("/v1/transfers/batch", 8 * 1024 * 1024 + 1),
    ] {
        for alpn in [&b"http/1.1"[..], b"h2"] {
            let mut client = Client::tls(frontend.api, &frontend.trust, alpn, LIVE).await;
            let answer = client.send("POST", path, &headers, vec![b' '; bytes]).await;
            assert_eq!(answer.problem().1, "request_too_large", "{path} {bytes}");
            assert_eq!(answer.status, 413);
        }
    }
    let mut client = frontend.client().await;
    let answer = client
        .send("POST", "/v1/payments", &headers, vec![b' '; 1024 * 1024])
        .await;
    assert_eq!(answer.problem().1, "malformed_json", "1 MiB is read");
}

#[tokio::test]
async fn a_large_body_of_unknown_length_is_cut() {
    let frontend = Frontend::start().await;
    let mut stream = frontend.trust.connect(frontend.api, b"http/1.1").await;
    let head = format!(
        "POST /v1/payments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {LIVE}\r\n\
         idempotency-key: k\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 65_536], b"\r\n"].concat();
    for _ in 0..17 {
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let answer = rest(&mut stream).await;
    assert!(
        answer.starts_with(b"HTTP/1.1 413"),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );
}

#[tokio::test]
async fn who_says_nothing_is_let_go() {
    let bounds = Connections {
        handshake_timeout: Duration::from_millis(200),
        header_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(300),
        ..Connections::default()
    };
    let frontend = Frontend::start_with(bounds).await;
    let mut mute = TcpStream::connect(frontend.api).await.expect("connected");
    rest(&mut mute).await;
    let mut slow = frontend.trust.connect(frontend.api, b"http/1.1").await;
    slow.write_all(b"GET /v1/accounts HTTP/1.1\r\nhost:")
        .await
        .expect("sent");
    rest(&mut slow).await;
    let mut quiet = frontend.trust.connect(frontend.api, b"h2").await;
    rest(&mut quiet).await;
    let mut idle = frontend.trust.connect(frontend.api, b"http/1.1").await;
    let request =
        format!("GET /v1/accounts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {LIVE}\r\n\r\n");
    idle.write_all(request.as_bytes()).await.expect("sent");
    let answer = rest(&mut idle).await;
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "answered first, ended later"
    );
}

#[tokio::test]
async fn a_full_house_waits_and_is_served() {
    let bounds = Connections {
        max: 1,
        ..Connections::default()
    };
    let frontend = Frontend::start_with(bounds).await;
    let mut first = frontend.client().await;
    assert_eq!(first.get("/v1/accounts").await.status, 200);
    let second = async {
        let mut second = frontend.client().await;
        second.get("/v1/accounts").await.status
    };
    let mut second = std::pin::pin!(second);
    let early = timeout(Duration::from_millis(100), &mut second).await;
    assert!(early.is_err(), "there is no place yet");
    drop(first);
    let late = timeout(PATIENCE, second).await;
    assert_eq!(late.expect("there is a place now"), 200);
}

#[tokio::test]
async fn a_large_head_is_refused() {
    let frontend = Frontend::start().await;
    let mut stream = frontend.trust.connect(frontend.api, b"http/1.1").await;
    let head = format!(
        "GET /v1/accounts HTTP/1.1\r\nx: {}\r\n\r\n",
        "y".repeat(70_000)
    );
    // The answer may come before everything is sent.
    let _ = stream.write_all(head.as_bytes()).await;
    let answer = rest(&mut stream).await;
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn shutdown_ends_idle_connections_and_returns() {
    let mut frontend = Frontend::start().await;
    let mut one = frontend.client().await;
    assert_eq!(one.get("/v1/accounts").await.status, 200);
    let mut two = frontend.trust.connect(frontend.api, b"h2").await;
    frontend.stop();
    rest(&mut two).await;
    for running in frontend.running.drain(..) {
        timeout(PATIENCE, running)
            .await
            .expect("it ends")
            .expect("without a panic");
    }
    assert!(
        TcpStream::connect(frontend.api).await.is_err(),
        "nobody listens"
    );
}
