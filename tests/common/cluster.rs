//! PostgreSQL on loopback in a temporary folder: one node, or a primary with its standbys.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What every node has, besides its port.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = on
full_page_writes = on
wal_level = replica
hot_standby = on
max_connections = 200
shared_buffers = 64MB
max_wal_senders = 8
wal_keep_size = 512MB
wal_sender_timeout = 5s
wal_receiver_timeout = 5s
wal_retrieve_retry_interval = 200ms
restart_after_crash = off
timezone = 'UTC'
log_min_messages = warning
";

/// Where the programs of PostgreSQL are: Debian keeps them out of the path.
pub(crate) fn programs() -> PathBuf {
    let debian = Path::new("/usr/lib/postgresql");
    let mut versions: Vec<PathBuf> = fs::read_dir(debian)
        .map(|found| found.filter_map(|one| Some(one.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    versions.retain(|folder| folder.join("postgres").exists());
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    versions.extend(std::env::split_paths(&path).filter(|f| f.join("postgres").exists()));
    versions.into_iter().next().unwrap_or_else(|| {
        panic!("PostgreSQL is not installed (Debian: apt-get install postgresql-15)")
    })
}

/// A program of PostgreSQL, which refuses to run as root.
fn program(name: &str) -> Command {
    let path = programs().join(name);
    if user() != 0 {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
    command
}

fn user() -> u32 {
    fs::metadata("/proc/self").unwrap().uid()
}

/// Hands a folder to the user PostgreSQL runs as.
fn hand_over(folder: &Path) {
    if user() == 0 {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = passwd.lines().find(|line| line.starts_with("postgres:")).unwrap();
        let ids: Vec<u32> = line.split(':').skip(2).take(2).map(|n| n.parse().unwrap()).collect();
        std::os::unix::fs::chown(folder, Some(ids[0]), Some(ids[1])).unwrap();
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
}

#[track_caller]
fn must(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The processor time of a process and of the children it has waited for, in seconds.
pub(crate) fn processor_time(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(4);
    // In hundredths of a second, on every Linux there is.
    fields.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One node. Killed when dropped.
pub(crate) struct Node {
    _home: TempDir,
    data: PathBuf,
    pub(crate) port: u16,
    child: Option<Child>,
}

impl Node {
    fn home() -> (TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        hand_over(home.path());
        let data = home.path().join("data");
        (home, data)
    }

    /// A new database, running.
    pub(crate) fn new(more: &str) -> Self {
        let (home, data) = Self::home();
        must(
            program("initdb")
                .args(["--username=bulla", "--auth=trust", "--encoding=UTF8", "--locale=C"])
                .args(["--no-sync", "--data-checksums", "-D"])
                .arg(&data),
        );
        let mut node = Self { _home: home, data, port: free_port(), child: None };
        node.configure(more);
        node.start();
        node
    }

    /// A standby of this node, streaming.
    pub(crate) fn standby(&self, name: &str, more: &str) -> Self {
        self.standby_at(name, more, free_port())
    }

    fn standby_at(&self, name: &str, more: &str, port: u16) -> Self {
        let (home, data) = Self::home();
        must(
            program("pg_basebackup")
                .args(["--host=127.0.0.1", "--username=bulla", "--checkpoint=fast"])
                .args(["--no-sync", "--write-recovery-conf"])
                .arg(format!("--port={}", self.port))
                .arg("-D")
                .arg(&data),
        );
        let mut node = Self { _home: home, data, port, child: None };
        node.configure(more);
        node.follow(self, name);
        node.start();
        node
    }

    /// Settings beside those of [`SETTINGS`]; the later wins.
    pub(crate) fn configure(&self, more: &str) {
        let text = format!("{SETTINGS}\nport = {}\n{more}\n", self.port);
        fs::write(self.data.join("postgresql.conf"), text).unwrap();
    }

    /// Makes it a standby of another node from its next start on.
    pub(crate) fn follow(&self, primary: &Node, name: &str) {
        let text = format!(
            "primary_conninfo = 'host=127.0.0.1 port={} user=bulla application_name={name}'\n\
             recovery_target_timeline = 'latest'\n",
            primary.port
        );
        fs::write(self.data.join("postgresql.auto.conf"), text).unwrap();
        fs::write(self.data.join("standby.signal"), "").unwrap();
    }

    /// Starts it and waits until it can be asked.
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none());
        let log = fs::File::create(self.data.with_file_name("log")).unwrap();
        let mut postmaster = program("postgres");
        postmaster.arg("-D").arg(&self.data).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(postmaster.spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(60);
        while self.ask("SELECT 1").is_none() {
            if Instant::now() > until || self.child.as_mut().unwrap().try_wait().unwrap().is_some()
            {
                let log = fs::read_to_string(self.data.with_file_name("log")).unwrap();
                panic!("a node did not start: {log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// What a query says, or `None` when the node does not answer.
    pub(crate) fn ask(&self, sql: &str) -> Option<String> {
        let output = Command::new(programs().join("psql"))
            .args([
                "-X",
                "-A",
                "-t",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "bulla",
                "-d",
                "postgres",
            ])
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-c", sql])
            .env("PGCONNECT_TIMEOUT", "2")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    #[track_caller]
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.ask(sql).unwrap_or_else(|| panic!("{sql}: no answer"))
    }

    /// The address of a database of it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://bulla@127.0.0.1:{}/{database}", self.port)
    }

    /// A new database on it, of somebody who may do nothing else.
    pub(crate) fn database(&self, name: &str) -> String {
        self.sql(&format!("CREATE ROLE {name} LOGIN"));
        self.sql(&format!("CREATE DATABASE {name} OWNER {name}"));
        format!("postgres://{name}@127.0.0.1:{}/{name}", self.port)
    }

    /// The postmaster and all its processes.
    fn processes(&self) -> Vec<String> {
        let Some(child) = &self.child else { return Vec::new() };
        let postmaster = child.id().to_string();
        let mut all = vec![postmaster.clone()];
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            // pid (name) state ppid …
            let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
            if parent == Some(&postmaster) {
                all.push(entry.file_name().into_string().unwrap());
            }
        }
        all
    }

    /// The processor time all of it has taken, in seconds.
    pub(crate) fn processor_time(&self) -> f64 {
        self.processes().iter().map(|pid| processor_time(pid)).sum()
    }

    fn signal(&self, name: &str) {
        let all = self.processes();
        let _ = Command::new("kill").arg(name).args(all).stderr(Stdio::null()).status();
    }

    /// SIGKILL to all of it, stopped or not.
    pub(crate) fn kill(&mut self) {
        // Stopped first, so that no process is born between the look and the kill.
        self.signal("-STOP");
        self.signal("-KILL");
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
        let _ = fs::remove_file(self.data.join("postmaster.pid"));
    }

    /// SIGSTOP to all of it: connections stay open and nothing answers.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Makes a standby the primary.
    pub(crate) fn promote(&self) {
        assert_eq!(self.sql("SELECT pg_promote(true, 30)"), "t");
        // Until then its control file is of the old timeline, and pg_rewind goes by that.
        self.sql("CHECKPOINT");
    }

    /// The last byte of the log it has received and flushed.
    pub(crate) fn received(&self) -> u64 {
        let lsn = self.sql("SELECT coalesce(pg_last_wal_receive_lsn(), '0/0') - '0/0'::pg_lsn");
        lsn.parse().unwrap()
    }

    /// Brings a former primary back as a standby of the new one.
    pub(crate) fn rejoin(&mut self, primary: &Node, name: &str, more: &str) {
        assert!(self.child.is_none());
        // What it wrote alone is undone. Its own crash recovery is done by pg_rewind.
        let rewound = program("pg_rewind")
            .arg("--target-pgdata")
            .arg(&self.data)
            .arg(format!(
                "--source-server=host=127.0.0.1 port={} user=bulla dbname=postgres",
                primary.port
            ))
            .arg("--no-sync")
            .output()
            .unwrap();
        if !rewound.status.success() {
            let port = self.port;
            *self = primary.standby_at(name, more, port);
            return;
        }
        // It copies the settings of the other one.
        self.configure(more);
        self.follow(primary, name);
        self.start();
    }

    /// How many standbys stream from it.
    pub(crate) fn streaming(&self) -> usize {
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
        self.ask(sql).map_or(0, |n| n.parse().unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Three nodes, of which one takes writes and answers once one of the others has flushed.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    primary: usize,
}

pub(crate) const QUORUM: &str = "synchronous_standby_names = 'ANY 1 (n0, n1, n2)'";

impl Cluster {
    pub(crate) fn new(more: &str) -> Self {
        let settings = format!("{QUORUM}\n{more}");
        // Nobody to wait for while the others are made.
        let first = Node::new(more);
        let others = [first.standby("n1", &settings), first.standby("n2", &settings)];
        first.configure(&settings);
        first.sql("SELECT pg_reload_conf()");
        let [second, third] = others;
        Self { nodes: vec![first, second, third], primary: 0 }
    }

    pub(crate) fn url(&self) -> String {
        let hosts = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        format!("postgres://bulla@{}/postgres", hosts.collect::<Vec<_>>().join(","))
    }

    pub(crate) fn primary(&self) -> &Node {
        &self.nodes[self.primary]
    }

    pub(crate) fn standbys(&self) -> Vec<usize> {
        (0..3).filter(|n| *n != self.primary).collect()
    }

    pub(crate) fn wait_for_standbys(&self, least: usize) {
        let until = Instant::now() + Duration::from_secs(60);
        while self.primary().streaming() < least {
            assert!(Instant::now() < until, "the standbys do not stream");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Fences the primary, promotes the standby that has the most, and brings the old one back
    /// behind it: what Patroni does.
    pub(crate) fn fail_over(&mut self, settings: &str) {
        let old = self.primary;
        self.nodes[old].kill();
        let standbys = self.standbys();
        let best = standbys.iter().copied().max_by_key(|n| self.nodes[*n].received()).unwrap();
        let other = standbys.into_iter().find(|n| *n != best).unwrap();
        self.nodes[best].promote();
        self.primary = best;
        self.nodes[other].follow(&self.nodes[best], &format!("n{other}"));
        self.nodes[other].sql("SELECT pg_reload_conf()");
        let (left, right) = self.nodes.split_at_mut(old.max(best));
        let (old_node, new_node) = match old < best {
            true => (&mut left[old], &right[0]),
            false => (&mut right[0], &left[best]),
        };
        old_node.rejoin(new_node, &format!("n{old}"), settings);
        self.wait_for_standbys(2);
    }
}
