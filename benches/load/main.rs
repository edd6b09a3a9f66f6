//! Load for the relay and its peers. `benches/relay` runs it; each run prints one line of JSON.
//!
//!     load push     peer=NAME at=HOST:PORT connections=64 milliseconds=2000 pid=PID
//!     load fill     peer=bulla at=… messages=1000000 batch=500
//!     load register at=… count=256
//!     load pull     at=… count=256 connections=8 pid=…
//!     load latency  at=… rounds=1000
//!     load wait     peer=bulla at=… count=10000 pid=…
//!
//! One thread, since it shares the machine with what it measures.

#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod closed;
mod owner;
mod peer;
mod process;

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use closed::{Line, Outcome, Until};
use owner::Owner;
use peer::{Beanstalkd, Bulla, Etcd, Messages, Nats, PLACES, Postgres, Redis};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let verb = arguments.next().unwrap_or_default();
    let options = Options(
        arguments
            .map(|argument| {
                let (name, value) = argument.split_once('=').expect("name=value");
                (name.to_owned(), value.to_owned())
            })
            .collect(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let outcome = local.block_on(&runtime, async {
        match verb.as_str() {
            "push" => {
                let time = Duration::from_millis(options.number("milliseconds", 2000) as u64);
                write(&options, Until::Time(time)).await
            }
            "fill" => {
                let messages = options.number("messages", 1_000_000) as u64;
                write(&options, Until::Messages(messages)).await
            }
            "register" => {
                let count = options.number("count", PLACES);
                owner::register(&options.text("at"), count).await.map(|()| "{}".to_owned())
            }
            "pull" => pull(&options).await,
            "latency" => {
                let rounds = options.number("rounds", 1000);
                let micros = owner::latency(&options.text("at"), rounds).await?;
                Ok(format!(
                    r#"{{"p50_us":{},"p99_us":{}}}"#,
                    quantile(&micros, 0.50),
                    quantile(&micros, 0.99)
                ))
            }
            "wait" => wait(&options).await,
            _ => Err(format!("no verb {verb:?}")),
        }
    });
    match outcome {
        Ok(line) => println!("{line}"),
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(1);
        }
    }
}

struct Options(HashMap<String, String>);

impl Options {
    fn text(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_default()
    }

    fn number(&self, name: &str, otherwise: usize) -> usize {
        self.0.get(name).map_or(otherwise, |value| value.parse().expect("a number"))
    }

    fn pid(&self) -> Option<u32> {
        self.0.get("pid").map(|pid| pid.parse().expect("a pid"))
    }
}

/// Writes as fast as the peer answers.
async fn write(options: &Options, until: Until) -> Result<String, String> {
    let at = options.text("at");
    let connections = options.number("connections", 64);
    let pid = options.pid();
    let batch = options.number("batch", 1);
    let secret = options.text("secret");
    let messages = Messages::new;
    let each = 0..connections;
    let outcome = match options.text("peer").as_str() {
        "bulla" => {
            let owners = (0..options.number("count", PLACES)).map(|n| Owner::new(&at, n));
            let mailboxes = Rc::new(owners.map(|o| (o.mailbox, o.capability)).collect::<Vec<_>>());
            let peers = each.map(|_| Bulla {
                host: at.clone(),
                mailboxes: mailboxes.clone(),
                messages: messages(),
                batch,
            });
            closed::run(&at, peers.collect(), until, pid).await?
        }
        "redis" => {
            let password = secret;
            let peers =
                each.map(|_| Redis { password: password.clone(), messages: messages(), batch });
            closed::run(&at, peers.collect(), until, pid).await?
        }
        "beanstalkd" => {
            let peers = each.map(|_| Beanstalkd { messages: messages() });
            closed::run(&at, peers.collect(), until, pid).await?
        }
        "nats" => {
            let token = secret;
            let peers = each.map(|connection| Nats {
                token: token.clone(),
                messages: messages(),
                connection,
            });
            closed::run(&at, peers.collect(), until, pid).await?
        }
        "etcd" => {
            let token = secret;
            let peers = each.map(|connection| Etcd {
                host: at.clone(),
                token: token.clone(),
                messages: messages(),
                connection,
            });
            closed::run(&at, peers.collect(), until, pid).await?
        }
        "postgres" => {
            let user = options.text("user");
            let peers = each.map(|_| Postgres {
                user: user.clone(),
                password: secret.clone(),
                messages: messages(),
            });
            closed::run(&at, peers.collect(), until, pid).await?
        }
        other => return Err(format!("no peer {other:?}")),
    };
    Ok(report(&outcome))
}

async fn pull(options: &Options) -> Result<String, String> {
    let before = options.pid().map_or(0.0, process::cpu_of_tree);
    let (messages, seconds) = owner::pull(
        &options.text("at"),
        options.number("count", PLACES),
        options.number("connections", 8),
    )
    .await?;
    let server = options.pid().map_or(0.0, process::cpu_of_tree) - before;
    Ok(format!(
        r#"{{"messages":{messages},"rate":{:.0},"server_us":{:.2}}}"#,
        messages as f64 / seconds,
        server * 1e6 / messages.max(1) as f64
    ))
}

/// Lets many wait and says what each costs in memory.
async fn wait(options: &Options) -> Result<String, String> {
    let at = options.text("at");
    let count = options.number("count", 10_000);
    let pid = options.pid().expect("a pid");
    let before = process::resident_of(pid);
    let lines = if options.text("peer") == "redis" {
        let secret = options.text("secret");
        let mut lines = Vec::with_capacity(count);
        for n in 0..count {
            let mut line = Line::open(&at).await?;
            let auth = format!("AUTH {secret}\r\nXREAD BLOCK 0 STREAMS w{n:05} $\r\n");
            line.out.extend_from_slice(auth.as_bytes());
            line.send().await?;
            lines.push(line);
        }
        lines
    } else {
        owner::wait(&at, count).await?
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = process::resident_of(pid);
    drop(lines);
    Ok(format!(
        r#"{{"before_kb":{before},"after_kb":{after},"kb_each":{:.2}}}"#,
        after.saturating_sub(before) as f64 / count as f64
    ))
}

fn report(outcome: &Outcome) -> String {
    let messages = outcome.messages.max(1) as f64;
    format!(
        r#"{{"rate":{:.0},"p50_us":{},"p99_us":{},"server_us":{:.2},"load_us":{:.2},"seconds":{:.2}}}"#,
        outcome.messages as f64 / outcome.seconds,
        quantile(&outcome.micros, 0.50),
        quantile(&outcome.micros, 0.99),
        outcome.server * 1e6 / messages,
        outcome.own * 1e6 / messages,
        outcome.seconds,
    )
}

fn quantile(sorted: &[u32], share: f64) -> u32 {
    sorted.get((sorted.len() as f64 * share) as usize).copied().unwrap_or(0)
}
