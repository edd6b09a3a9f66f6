//! Privacy from other users: keys out of core dumps, state out of the reach of other users, and
//! letters sealed to the card that was meant.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{BULLA, Person};
use rustix::process::{Resource, Rlimit, setrlimit};
use tempfile::TempDir;

/// The program in a home of an ordinary user, whichever user runs the tests.
struct Ordinary {
    folder: TempDir,
    user: Option<u32>,
}

impl Ordinary {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = rustix::process::geteuid().is_root();
        // So that it is the program that lowers the limit, where this process may raise it at all.
        let _ = setrlimit(Resource::Core, Rlimit { current: None, maximum: None });
        // Where root builds, others may not be able to look.
        let program = folder.path().join("bulla");
        fs::copy(BULLA, &program).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        let user = root.then_some(65_534);
        std::os::unix::fs::chown(&home, user, user).unwrap();
        Self { folder, user }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A script of bash in which `bulla` is the program.
    fn bash(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        command
            .args(["-euo", "pipefail", "-c", script])
            .env_clear()
            .env("PATH", path)
            .env("BULLA_HOME", self.home().join("state"))
            .env("PASSPHRASE", "correct horse")
            .current_dir(self.home())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    fn run(&self, script: &str) -> String {
        let output = self.bash(script).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// The soft and hard limit of core dumps of a process.
fn core_limits(process: u32) -> (String, String) {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let mut words = line.split_whitespace().skip(4);
    (words.next().unwrap().to_owned(), words.next().unwrap().to_owned())
}

/// Waits until a process is the program and has closed itself.
fn closed(child: &mut Child) -> bool {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until && child.try_wait().unwrap().is_none() {
        if core_limits(child.id()).0 == "0" {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn no_core_dump_holds_a_key() {
    let ordinary = Ordinary::new();
    ordinary.run("bulla keygen --default; bulla keygen --age=x25519 -o key");
    for waiting in [
        "exec bulla open -i key",
        "exec bulla seal -r $(sed -n 's/^# public key: //p' key)",
        "exec bulla relay push",
        "exec bulla relay serve --store store --listen 127.0.0.1:0",
    ] {
        // More than the program asks for, so that only the program can have lowered it.
        let script = format!("ulimit -Sc $(ulimit -Hc); {waiting}");
        let mut child = ordinary.bash(&script).stdin(Stdio::piped()).spawn().unwrap();
        let hard = core_limits(std::process::id()).1;
        let lowered = closed(&mut child);
        let limits = lowered.then(|| core_limits(child.id()));
        // The kernel gives what belongs to a process that must not be dumped to root.
        let owner = fs::metadata(format!("/proc/{}/environ", child.id())).map(|file| file.uid());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(limits, Some(("0".to_owned(), hard.clone())), "{waiting}");
        assert_eq!(owner.ok(), Some(0), "{waiting}");
    }
}

#[test]
fn commands_of_the_user_have_the_limits_of_the_user() {
    let ordinary = Ordinary::new();
    let limits = ordinary.run(
        "bulla keygen -o key; ulimit -Sc $(ulimit -Hc); ulimit -Sc
         export BULLA_IDENTITY_COMMAND='ulimit -Sc >> limits; cat key'
         bulla card > card; cat limits",
    );
    let lines: Vec<&str> = limits.lines().collect();
    assert!(lines.len() == 2 && lines[0] == lines[1], "{lines:?}");
}

/// All that leads through `/proc/self`, which is root's while a process must not be dumped.
#[test]
fn an_ordinary_user_keeps_descriptors_pdfs_and_the_agent() {
    let ordinary = Ordinary::new();
    let pdf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pdf/latex.pdf");
    fs::copy(pdf, ordinary.home().join("paper.pdf")).unwrap();
    ordinary.run(
        "bulla keygen --age=x25519 -o key
         echo hello > plain; r=$(sed -n 's/^# public key: //p' key)
         bulla seal -r $r -o /dev/stdout plain | cat > sealed
         bulla open -i key -o /dev/stdout -f sealed | cmp - plain
         bulla open -i <(cat key) sealed | cmp - plain
         bulla open -i @FD:3 sealed 3< key | cmp - plain
         bulla open -i key /dev/stdin < sealed | cmp - plain
         bulla open -i key /proc/self/fd/0 < sealed | cmp - plain
         bulla open -i key /dev/fd/4 4< sealed | cmp - plain
         bulla open -i key -o named sealed; cmp named plain
         bulla seal -R <(echo $r) < plain > /dev/fd/1 | cat | bulla open -i key | cmp - plain",
    );
    let said = ordinary.run(
        "bulla keygen --default --passphrase @ENV:PASSPHRASE
         bulla index build --passphrase @ENV:PASSPHRASE paper.pdf plain
         bulla agent --for 1h --passphrase @ENV:PASSPHRASE
         bulla --no-input search --json type:pdf; bulla --no-input search --json hello
         bulla agent lock",
    );
    assert!(said.contains("paper.pdf") && said.contains("plain"), "{said}");
}

/// Returns what users other than the owner may do with anything below a folder.
fn exposed(folder: &Path) -> Vec<String> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let mode = |entry: &walkdir::DirEntry| entry.metadata().unwrap().mode() & 0o7777;
    entries
        .filter(|entry| !entry.path_is_symlink() && mode(entry) & 0o077 != 0)
        .map(|entry| format!("{:o} {}", mode(&entry), entry.path().display()))
        .collect()
}

const STATE: &str = "
    bulla relay serve --store store --listen 127.0.0.1:0 > address & relay=$!
    until [ -s address ]; do sleep 0.05; done
    url=$(cat address)
    bulla keygen --default; bulla relay register --relay $url; bulla card > me.card
    bulla contact add me me.card
    for n in 1 2; do echo harbour $n | bulla seal --to me | bulla relay push; done
    bulla relay pull --limit 1 | bulla open --json | bulla index add -
    bulla relay pull --exec 'bulla open -o opened'
    bulla relay pull --again > again || true
    mkdir -p texts; cp me.card texts/note.txt; bulla index build texts
    echo harbour 3 | bulla seal --to me | bulla relay push; bulla relay pull > waiting
    bulla search --json harbour > found
    bulla relay token new --store store > token
    bulla invite > invite
    bulla index build --index apart texts
    kill $relay; wait $relay || true";

#[test]
fn state_is_for_its_owner_alone_whatever_the_umask() {
    for umask in ["000", "022"] {
        let ordinary = Ordinary::new();
        ordinary.run(&format!("umask {umask}; {STATE}"));
        for place in ["state", "store", "apart"] {
            let place = ordinary.home().join(place);
            assert!(exposed(&place).is_empty(), "umask {umask}: {:#?}", exposed(&place));
            assert!(walkdir::WalkDir::new(&place).into_iter().count() > 4);
        }
    }
}

#[test]
fn folders_that_were_left_open_are_closed() {
    let ordinary = Ordinary::new();
    ordinary.run(STATE);
    ordinary.run(
        "find state store apart -mindepth 1 -type d -exec chmod 755 {} +; chmod 755 apart store
         bulla search --json harbour; bulla search --index apart BULLA || true
         bulla relay pull --again || true
         bulla relay serve --store store --listen 127.0.0.1:0 > address & relay=$!
         until [ -s address ]; do sleep 0.05; done; sleep 0.5; kill $relay; wait $relay || true",
    );
    for place in ["state", "store", "apart"] {
        let open = exposed(&ordinary.home().join(place));
        assert!(open.is_empty(), "{open:#?}");
    }
}

#[test]
fn a_file_with_the_name_of_nobody_is_no_recipient() {
    let (alice, carol, mallory) =
        (Person::with_identity(), Person::with_identity(), Person::with_identity());
    let card = |person: &Person, place: &Path| {
        let card = person.run(&["card", "--name", "x", "--relay", "http://127.0.0.1:9"]).expect(0);
        fs::write(place, card.out).unwrap();
    };
    // A file that someone left in the folder where the user works.
    card(&mallory, &alice.home().join("carol"));
    let seal = |to: &str| alice.pipe(&["seal", "--to", to], b"for carol alone");
    let refused = seal("carol").expect(2);
    assert!(refused.is_without_letters(), "nothing is sealed");
    assert!(refused.err.contains("no contact is named \"carol\""), "{}", refused.err);
    // No hint leads to the file.
    assert!(!refused.err.contains("./carol") && !refused.err.contains("card:carol"));

    // What says that it is a file is one.
    let place = alice.path("odd name");
    card(&carol, &place);
    fs::copy(&place, alice.home().join("ops.card")).unwrap();
    fs::copy(&place, alice.home().join("odd")).unwrap();
    // Only the one it is sealed to gets further than finding no key that fits.
    let opens = |to: &str| {
        let sealed = seal(to).expect(0).out;
        assert_eq!(mallory.pipe(&["open"], &sealed).status, 10, "{to}");
        assert_ne!(carol.pipe(&["open"], &sealed).status, 10, "{to}");
    };
    let absolute = place.to_str().unwrap();
    for to in [absolute, "./odd", "card:odd", "ops.card", "card:ops.card", "./files/odd name"] {
        opens(to);
    }
    for missing in ["./none", "none.card", "card:none", "card:"] {
        let refused = seal(missing).expect(21);
        assert!(refused.is_without_letters(), "{missing}");
    }

    // A contact comes before a file of the same name, and where both may be meant, neither is chosen.
    alice.knows("carol", &place);
    opens("carol");
    let dave = Person::with_identity();
    let other = alice.path("other");
    card(&dave, &other);
    alice.knows("dave.card", &other);
    let sealed = seal("dave.card").expect(0).out;
    assert_ne!(dave.pipe(&["open"], &sealed).status, 10);
    card(&mallory, &alice.home().join("dave.card"));
    let refused = seal("dave.card").expect(2);
    assert!(refused.err.contains("names a contact and a file"), "{}", refused.err);
    assert!(refused.err.contains("--to ./dave.card"), "{}", refused.err);
}

#[test]
fn no_time_makes_a_verb_panic() {
    let person = Person::with_identity();
    for args in [
        &["agent", "--for", "18446744073709551615"][..],
        &["agent", "--for", "213503982334601d"],
        &["pair", "--wait", "18446744073709551615"],
        &["invite", "--wait", "18446744073709551615"],
        &["invite", "--expires", "18446744073709551615s"],
        &["relay", "pull", "--wait", "18446744073709551615"],
        &["relay", "pull", "--timeout", "18446744073709551615"],
    ] {
        let refused = person.run(args).expect(2);
        assert!(!refused.err.contains("panicked"), "{}", refused.err);
    }
    let said = person.run(&["agent", "--for", "40000d"]).expect(2).err;
    assert!(said.contains("at most 36500d"), "{said}");
}
