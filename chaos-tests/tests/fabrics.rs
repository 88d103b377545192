//! Real TCP through each fabric: it is late, cut and lossy when it is told to be.

use florin_chaos::fabric::proxy::ProxyFabric;
use florin_chaos::fabric::tun::TunFabric;
use florin_chaos::fabric::{Fabric, Host, Link};
use florin_chaos::playground::run::{NAMESPACES, Run};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const CLIENT: Host = Host::Client;
const NODE: Host = Host::Node(1);
/// Names the address at which the other process of this test echoes.
const ECHO: &str = "FLORIN_TEST_ECHO";

/// Past the test harness, which keeps what a test that passes prints to itself.
fn say(what: &str) {
    let _nobody_listens = writeln!(std::io::stderr(), "fabric: {what}");
}

/// The other process: echoes everything, each connection in a thread.
fn echo(address: &str) -> ! {
    let listener = TcpListener::bind(address).unwrap();
    println!("listening");
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        std::thread::spawn(move || {
            let mut from = stream.try_clone().unwrap();
            std::io::copy(&mut from, &mut stream)
        });
    }
    std::process::exit(0)
}

/// A process in the namespace of a host.
struct Echo(Child);

impl Echo {
    fn start(launcher: Vec<String>, address: &str) -> Echo {
        let program = std::env::current_exe().unwrap().display().to_string();
        let ours = [
            program,
            "--exact".into(),
            "packets_pass_as_they_are_told".into(),
            "--nocapture".into(),
        ];
        let mut words = launcher.into_iter().chain(ours);
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .env(ECHO, address)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let heard = lines
            .map_while(Result::ok)
            .any(|line| line.ends_with("listening"));
        assert!(heard, "the other process does not listen");
        Echo(child)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _dead_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// How long a byte takes there and back.
fn round_trip(stream: &mut TcpStream) -> std::io::Result<Duration> {
    let began = Instant::now();
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])?;
    Ok(began.elapsed())
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
}

/// What holds on every fabric.
fn check(fabric: &dyn Fabric, address: SocketAddr) {
    let mut stream = connect(address);
    let near = (0..20)
        .map(|_| round_trip(&mut stream).unwrap())
        .min()
        .unwrap();
    assert!(near < 20 * MS, "{near:?} on a perfect link");
    delay_is_seen(fabric, &mut stream);
    cuts_are_seen(fabric, &mut stream);
    loss_is_outlived(fabric, &mut stream);
    rate_is_kept(fabric, &mut stream);
    fabric.heal_all("the end");
    assert_eq!(fabric.link(NODE, CLIENT), Ok(Link::default()));
    let changes: Vec<String> = fabric.changes().iter().map(ToString::to_string).collect();
    assert!(
        changes.len() >= 6 && changes[0].contains("25ms"),
        "{changes:?}"
    );
}

fn delay_is_seen(fabric: &dyn Fabric, stream: &mut TcpStream) {
    for (from, to) in [(CLIENT, NODE), (NODE, CLIENT)] {
        fabric
            .set(from, to, Link::delayed(25 * MS), "a test")
            .unwrap();
    }
    let far = (0..5).map(|_| round_trip(stream).unwrap()).min().unwrap();
    assert!(
        (50 * MS..80 * MS).contains(&far),
        "{far:?} for 25 ms each way"
    );
    assert!(fabric.counters(CLIENT, NODE).unwrap().delayed >= 5);
    fabric.heal_all("a test");
}

/// In one direction only, so that the other one is seen to go on.
fn cuts_are_seen(fabric: &dyn Fabric, stream: &mut TcpStream) {
    let before = fabric.counters(NODE, CLIENT).unwrap();
    fabric.set(NODE, CLIENT, Link::cut(), "a test").unwrap();
    stream.set_read_timeout(Some(300 * MS)).unwrap();
    let sent = fabric.counters(CLIENT, NODE).unwrap().packets;
    let error = round_trip(stream).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{error}"
    );
    assert!(fabric.counters(CLIENT, NODE).unwrap().packets > sent);
    let after = fabric.counters(NODE, CLIENT).unwrap();
    assert_eq!(after.packets, before.packets);
    assert!(after.dropped > before.dropped);
    fabric.set(NODE, CLIENT, Link::default(), "a test").unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
        .read_exact(&mut [0])
        .expect("TCP outlives a short cut");
}

fn loss_is_outlived(fabric: &dyn Fabric, stream: &mut TcpStream) {
    let before = fabric.counters(CLIENT, NODE).unwrap().dropped;
    let lossy = Link {
        loss: 0.2,
        ..Link::default()
    };
    fabric.set(CLIENT, NODE, lossy, "a test").unwrap();
    let slowest = (0..30).map(|_| round_trip(stream).unwrap()).max().unwrap();
    assert!(fabric.counters(CLIENT, NODE).unwrap().dropped > before);
    assert!(slowest >= 5 * MS, "{slowest:?}: something was sent again");
    fabric.heal_all("a test");
}

fn rate_is_kept(fabric: &dyn Fabric, stream: &mut TcpStream) {
    let slow = Link {
        bytes_per_second: Some(1_000_000),
        ..Link::default()
    };
    fabric.set(CLIENT, NODE, slow, "a test").unwrap();
    let began = Instant::now();
    let mut sender = stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || sender.write_all(&[7; 500_000]));
    stream.read_exact(&mut vec![0; 500_000]).unwrap();
    sending.join().unwrap().unwrap();
    let took = began.elapsed();
    assert!(took > 400 * MS, "{took:?} for half a second's worth");
    fabric.heal_all("a test");
}

#[test]
fn streams_pass_as_they_are_told() {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = door.local_addr().unwrap();
    drop(door);
    let listening = [
        (NODE, vec![own]),
        (Host::Node(2), Vec::new()),
        (CLIENT, Vec::new()),
    ];
    let fabric = ProxyFabric::make(&listening, 1).unwrap();
    let _echo = Echo::start(Vec::new(), &own.to_string());
    let reach = fabric.reach(CLIENT);
    let through: SocketAddr = reach.of(&own.to_string()).parse().unwrap();
    assert_ne!(through, own);
    check(&fabric, through);
    let twice = Link {
        duplicate: 0.1,
        ..Link::default()
    };
    let refused = fabric.set(NODE, CLIENT, twice, "a test").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the proxy fabric cannot hand packets on twice: it passes streams"
    );
}

#[test]
fn packets_pass_as_they_are_told() {
    if let Ok(address) = std::env::var(ECHO) {
        echo(&address);
    }
    let run = Run::begin().unwrap();
    let hosts = [NODE, Host::Node(2), CLIENT];
    let fabric = match TunFabric::make(run.name(), &hosts, 1) {
        Ok(fabric) => fabric,
        Err(why) => return say(&format!("tun: skipped: {why:#}")),
    };
    let address = SocketAddr::from((fabric.address(NODE).unwrap(), 7_100));
    let echo = Echo::start(fabric.launcher(NODE), &address.to_string());
    check(&fabric, address);
    drop(echo);
    drop(fabric);
    let left = std::fs::read_dir(NAMESPACES).unwrap().flatten();
    let left = left.filter(|one| one.file_name().to_string_lossy().starts_with(run.name()));
    assert_eq!(left.count(), 0, "namespaces stay");
}
