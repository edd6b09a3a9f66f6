//! A closed loop: every connection sends its next request when the one before was answered.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::peer::Peer;
use crate::process;

/// Time before the measuring begins.
const WARM: Duration = Duration::from_millis(400);

/// What one run showed.
pub struct Outcome {
    pub seconds: f64,
    pub messages: u64,
    /// Microseconds of each request, sorted.
    pub micros: Vec<u32>,
    /// Seconds of processor time of the server, and of this program.
    pub server: f64,
    pub own: f64,
}

/// When a run ends.
#[derive(Clone, Copy)]
pub enum Until {
    /// After so long, from when it is warm.
    Time(Duration),
    /// After so many messages, from the first on.
    Messages(u64),
}

/// Runs a peer for each connection.
pub async fn run<P: Peer + 'static>(
    address: &str,
    peers: Vec<P>,
    until: Until,
    pid: Option<u32>,
) -> Result<Outcome, String> {
    let micros: Rc<RefCell<Option<Vec<u32>>>> = Rc::new(RefCell::new(None));
    let stop = Rc::new(Cell::new(false));
    let left = Rc::new(Cell::new(match until {
        Until::Time(_) => u64::MAX,
        Until::Messages(messages) => messages,
    }));
    let mut loops = JoinSet::new();
    let batch = peers.first().map_or(1, Peer::batch) as u64;
    for mut peer in peers {
        let mut line = Line::open(address).await?;
        for greeting in peer.greetings() {
            line.out.extend_from_slice(&greeting);
            line.exchange(|got| peer.greeted(got)).await?;
        }
        let (micros, stop, left) = (micros.clone(), stop.clone(), left.clone());
        loops.spawn_local(async move {
            peer.request(&mut line.out);
            while !stop.get() && left.get() > 0 {
                left.set(left.get().saturating_sub(batch));
                let start = Instant::now();
                line.exchange(|got| peer.answered(got)).await?;
                if let Some(micros) = micros.borrow_mut().as_mut() {
                    micros.push(start.elapsed().as_micros() as u32);
                }
                peer.request(&mut line.out);
            }
            Ok::<_, String>(())
        });
    }
    if let Until::Time(_) = until {
        tokio::time::sleep(WARM).await;
    }
    let cpu = || (pid.map_or(0.0, process::cpu_of_tree), process::cpu_of(std::process::id()));
    let (start, before) = (Instant::now(), cpu());
    *micros.borrow_mut() = Some(Vec::with_capacity(1 << 20));
    match until {
        Until::Time(time) => tokio::time::sleep(time).await,
        Until::Messages(_) => join(&mut loops).await?,
    }
    let mut micros = micros.borrow_mut().take().unwrap_or_default();
    let (seconds, after) = (start.elapsed().as_secs_f64(), cpu());
    stop.set(true);
    join(&mut loops).await?;
    micros.sort_unstable();
    Ok(Outcome {
        seconds,
        messages: micros.len() as u64 * batch,
        micros,
        server: after.0 - before.0,
        own: after.1 - before.1,
    })
}

async fn join(loops: &mut JoinSet<Result<(), String>>) -> Result<(), String> {
    while let Some(ended) = loops.join_next().await {
        ended.map_err(|error| error.to_string())??;
    }
    Ok(())
}

/// A connection with what is to be sent and what has come.
pub struct Line {
    stream: TcpStream,
    pub out: Vec<u8>,
    pub got: Vec<u8>,
}

impl Line {
    pub async fn open(address: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await.map_err(|e| format!("{address}: {e}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self { stream, out: Vec::with_capacity(4096), got: Vec::with_capacity(8192) })
    }

    /// Sends what is to be sent.
    pub async fn send(&mut self) -> Result<(), String> {
        self.stream.write_all(&self.out).await.map_err(|error| error.to_string())?;
        self.out.clear();
        Ok(())
    }

    /// Sends, and reads until the answer is whole; what was read stays in `got` until then.
    pub async fn exchange(
        &mut self,
        whole: impl Fn(&[u8]) -> Result<Option<usize>, String>,
    ) -> Result<(), String> {
        self.send().await?;
        let end = self.answer(whole).await?;
        self.got.drain(..end);
        Ok(())
    }

    /// Reads until the answer is whole, and says how long it is.
    pub async fn answer(
        &mut self,
        whole: impl Fn(&[u8]) -> Result<Option<usize>, String>,
    ) -> Result<usize, String> {
        loop {
            if !self.got.is_empty()
                && let Some(end) = whole(&self.got)?
            {
                return Ok(end);
            }
            match self.stream.read_buf(&mut self.got).await {
                Ok(0) => return Err(format!("closed: {}", String::from_utf8_lossy(&self.got))),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
