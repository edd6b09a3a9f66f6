"""What `benches/search` compares: the questions, the tools that answer them, and their mailbox."""

import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timezone

HERE = os.path.dirname(os.path.abspath(__file__))
PACKED = "linux-man.mbox.xz"
SINCE = "2023-01-01"
SECONDS = int(datetime.fromisoformat(SINCE).replace(tzinfo=timezone.utc).timestamp())
LIMIT = 20


@dataclass
class Query:
    """One question in the words of every tool."""

    name: str
    bulla: str
    plain: list  # clauses, all of which must hold
    fts5: str
    notmuch: str
    ripgrep: list  # patterns, all of which a file must hold
    since: bool = False


def word(name, *words):
    return Query(
        name,
        " ".join(words),
        [f"word:{one}" for one in words],
        " AND ".join(words),
        " and ".join(words),
        [rf"\b{one}\b" for one in words],
    )


QUERIES = (
    word("rare word", "strcasestr"),
    word("frequent word", "page"),
    word("AND", "signal", "thread"),
    Query(
        "phrase",
        '"file descriptor"',
        ["phrase:file descriptor"],
        '"file descriptor"',
        '"file descriptor"',
        [r"\bfile\s+descriptor\b"],
    ),
    Query("prefix", "alloc*", ["prefix:alloc"], "alloc*", "alloc*", [r"\balloc"]),
    Query(
        "sender, date",
        f"from:branden after:{SINCE}",
        ["from:branden", f"after:{SECONDS}"],
        "sender : branden",
        f"from:branden and date:{SINCE}..",
        [r"^From:.*\bbranden\b"],
        since=True,
    ),
    word("no hit", "xyzzyplugh"),
)

class Tool:
    """A tool, the folder its files are in, and what it is told."""

    title = install = ""

    def __init__(self, options, folder):
        self.options = options
        self.folder = os.path.join(folder, self.name)
        self.env = dict(os.environ)

    @staticmethod
    def there(_):
        return True

    def start(self):
        """What starts the program and asks nothing."""
        return [self.ask(QUERIES[0])[0], "--version"]

    def files(self):
        """What is read to answer, all of it."""
        for at, _, names in os.walk(self.folder):
            for name in names:
                yield os.path.join(at, name)

    def size(self):
        return sum(os.path.getsize(path) for path in self.files())

    def count(self, query):
        """How many hits there are."""
        return int(self.output(self.counting(query)).split()[0])

    def output(self, argv):
        done = subprocess.run(argv, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode not in (0, 1):
            sys.exit(f"failed: {' '.join(argv)}\n{done.stderr}")
        return done.stdout

    def clear(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Bulla(Tool):
    name = "bulla"

    def __init__(self, options, folder):
        super().__init__(options, folder)
        home = os.path.join(folder, "home")
        os.makedirs(home, exist_ok=True)
        self.env["BULLA_HOME"] = home
        self.key = os.path.join(home, "key")
        if not os.path.exists(self.key):
            self.output([options.bulla, "keygen", "-q", "-o", self.key])
        self.place = ["-q", "-i", self.key, "--index", self.folder]

    def build(self, corpus):
        return [self.options.bulla, "index", "build", *self.place, corpus.mbox]

    def ask(self, query):
        return [self.options.bulla, "search", *self.place, query.bulla]

    def counting(self, query):
        return [self.options.bulla, "search", *self.place, "--count", query.bulla]

    def add(self, message):
        line = {"schema": 1, "id": message.word, "from": {"name": message.sender}, "subject": message.subject, "body": message.body}
        with open(message.path + ".json", "w", encoding="utf-8") as file:
            json.dump(line, file)
        return [self.options.bulla, "index", "add", *self.place, message.path + ".json"]

    def segments(self):
        stats = self.output([self.options.bulla, "index", "stats", "--json", *self.place])
        return json.loads(stats)["segments"]

    def cells(self, query):
        argv = [self.options.plain, "cells", f"index={self.folder}", f"key={self.key}", f"query={query.bulla}"]
        return json.loads(self.output(argv))


class Plain(Tool):
    name = "plain"
    title = "plaintext tantivy"

    def build(self, corpus, bodies="yes"):
        return [self.options.plain, "build", f"mbox={corpus.mbox}", f"folder={self.folder}", f"bodies={bodies}"]

    def ask(self, query):
        return [self.options.plain, "search", f"folder={self.folder}", f"limit={LIMIT}", *query.plain]

    def start(self):
        return [self.options.plain, "documents", f"mbox={os.devnull}"]

    def count(self, query):
        return int(self.output(self.ask(query)).splitlines()[-1].split()[0])

    def add(self, message):
        return [self.options.plain, "add", f"folder={self.folder}", f"file={message.path}"]

    def segments(self):
        with open(os.path.join(self.folder, "meta.json"), encoding="utf-8") as file:
            return len(json.load(file)["segments"])


class Fts5(Tool):
    """Rows in the order of their dates, so that the newest are the last and nothing is sorted."""

    name = "fts5"
    title = "SQLite FTS5"
    install = "apt-get install sqlite3"
    columns = "id INTEGER PRIMARY KEY, sender, recipient, subject, body, attachment"
    script = """
import json, sqlite3, sys
rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
rows.sort(key=lambda row: row["date"] or 0)
base = sqlite3.connect(sys.argv[2])
base.executescript('''
    CREATE TABLE messages (id INTEGER PRIMARY KEY, date INTEGER, sender, recipient, subject, attachment);
    CREATE TABLE bodies (id INTEGER PRIMARY KEY, body);
    CREATE VIEW texts AS SELECT id, sender, recipient, subject, body, attachment
        FROM messages JOIN bodies USING (id);
    CREATE VIRTUAL TABLE words USING fts5 (sender, recipient, subject, body, attachment,
        content='texts', content_rowid='id', tokenize='unicode61 remove_diacritics 2');
''')
for number, row in enumerate(rows, 1):
    texts = (row["from"], row["to"], row["subject"], row["body"], row["attachments"])
    base.execute("INSERT INTO messages VALUES (?,?,?,?,?,?)", (number, row["date"], *texts[:3], texts[4]))
    base.execute("INSERT INTO bodies VALUES (?,?)", (number, texts[3]))
    base.execute("INSERT INTO words (rowid, sender, recipient, subject, body, attachment) VALUES (?,?,?,?,?,?)", (number, *texts))
base.execute("CREATE INDEX dates ON messages (date)")
base.execute("INSERT INTO words (words) VALUES ('optimize')")
base.commit()
"""

    def __init__(self, options, folder):
        super().__init__(options, folder)
        self.base = os.path.join(self.folder, "base")
        self.env["HOME"] = folder  # no ~/.sqliterc

    @staticmethod
    def there(_):
        return shutil.which("sqlite3")

    def build(self, corpus):
        os.makedirs(self.folder)
        return [sys.executable, "-c", self.script, corpus.documents(), self.base]

    def sql(self, *statements):
        return ["sqlite3", "-readonly", "-batch", self.base, *statements]

    def counting(self, query):
        return self.sql(f"SELECT count(*) FROM words WHERE {self.where(query)}")

    @staticmethod
    def where(query):
        later = f" AND rowid >= (SELECT min(id) FROM messages WHERE date >= {SECONDS})"
        return f"words MATCH '{query.fts5}'" + (later if query.since else "")

    def ask(self, query):
        where = self.where(query).replace("rowid", "words.rowid")
        newest = (
            "SELECT date, messages.sender, messages.subject, snippet(words, 3, '', '', '', 25) FROM words "
            f"JOIN messages ON id = words.rowid WHERE {where} ORDER BY words.rowid DESC LIMIT {LIMIT}"
        )
        return self.sql(newest, *self.counting(query)[-1:])

    def add(self, message):
        texts = [f"'{text}'" for text in (message.sender, "list", message.subject, message.body, "")]
        into = "(SELECT max(id) FROM messages)"
        return [
            "sqlite3", "-batch", self.base,
            "PRAGMA synchronous = FULL; BEGIN;"
            f"INSERT INTO messages SELECT max(id) + 1, {int(time.time())}, {', '.join(texts[:3])}, '' FROM messages;"
            f"INSERT INTO bodies VALUES ({into}, {texts[3]});"
            "INSERT INTO words (rowid, sender, recipient, subject, body, attachment) "
            f"VALUES ({into}, {', '.join(texts)}); COMMIT;",
        ]


class Notmuch(Tool):
    name = "notmuch"
    install = "apt-get install notmuch"
    shows = "summary"

    def __init__(self, options, folder):
        super().__init__(options, folder)
        self.folder = os.path.join(folder, "maildir", ".notmuch")
        self.env["NOTMUCH_CONFIG"] = os.path.join(folder, "notmuch.cfg")

    @staticmethod
    def there(_):
        return shutil.which("notmuch")

    def build(self, corpus):
        with open(self.env["NOTMUCH_CONFIG"], "w", encoding="utf-8") as file:
            file.write(
                f"[database]\npath={os.path.abspath(corpus.maildir())}\n[new]\ntags=\n"
                "[search]\nexclude_tags=\n[maildir]\nsynchronize_flags=false\n"
            )
        return ["notmuch", "new", "--quiet"]

    def counting(self, query):
        return ["notmuch", "count", query.notmuch]

    def ask(self, query):
        return ["notmuch", "search", f"--output={self.shows}", f"--limit={LIMIT}", "--sort=newest-first", query.notmuch]

    def add(self, message):
        shutil.copy(message.path, os.path.join(self.folder, "../new", message.word))
        return ["notmuch", "new", "--quiet"]


class NotmuchIds(Notmuch):
    """The same index, asked for bare ids: less than the others show."""

    name = "notmuch ids"
    shows = "messages"


class Ripgrep(Tool):
    """The files that hold it, in whatever order; dates it cannot compare."""

    name = "ripgrep"
    install = "apt-get install ripgrep"
    what = "maildir/cur"

    def __init__(self, options, folder):
        super().__init__(options, folder)
        self.folder = os.path.join(folder, self.what)

    @staticmethod
    def there(_):
        return shutil.which("rg")

    def files(self):
        return super().files() if os.path.isdir(self.folder) else [self.folder]

    def ask(self, query):
        if len(query.ripgrep) == 1:
            return ["rg", "-il", query.ripgrep[0], self.folder]
        both = 'rg -il0 "$1" "$3" | xargs -0r rg -il "$2"'
        return ["sh", "-c", both, "sh", *query.ripgrep, self.folder]

    def count(self, query):
        return len(self.output(self.ask(query)).splitlines())


class RipgrepMbox(Ripgrep):
    """One file with all messages: the lines that hold it, or the last word of several."""

    name = "rg mbox"
    what = "mbox"

    def ask(self, query):
        return ["rg", "-i", query.ripgrep[-1], self.folder]


TOOLS = (Bulla, Plain, Fts5, Notmuch, NotmuchIds, Ripgrep, RipgrepMbox)


class Corpus:
    """The mailbox, and what is made of it for those who do not read one."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.mbox = os.path.join(folder, "mbox")
        packed = os.environ.get("BULLA_CORPUS") or os.path.join(HERE, "../../shared/corpus")
        packed = os.path.join(packed, PACKED)
        if not os.path.isfile(packed):
            sys.exit(f"{packed} is missing: set BULLA_CORPUS to the folder of {PACKED}")
        if not os.path.exists(self.mbox):
            with lzma.open(packed) as file, open(self.mbox, "wb") as out:
                for number, message in enumerate(messages(file)):
                    if options.messages and number == options.messages:
                        break
                    out.writelines(message)

    def maildir(self):
        """A file for each message, as notmuch and ripgrep want them."""
        maildir = os.path.join(self.folder, "maildir")
        if not os.path.isdir(maildir):
            for name in ("cur", "new", "tmp"):
                os.makedirs(os.path.join(maildir, name))
            with open(self.mbox, "rb") as file:
                for number, message in enumerate(messages(file)):
                    with open(os.path.join(maildir, "cur", f"{number:06}:2,S"), "wb") as out:
                        out.writelines(re.sub(rb"^>(>*From )", rb"\1", line) for line in message[1:])
        return maildir

    def documents(self):
        """What bulla reads out of each message, as lines of JSON."""
        path = os.path.join(self.folder, "documents")
        if not os.path.exists(path):
            with open(path, "wb") as out:
                subprocess.run([self.options.plain, "documents", f"mbox={self.mbox}"], stdout=out, check=True)
        return path


def messages(file):
    """The messages of an mbox, each the list of its lines."""
    message, empty = [], True
    for line in file:
        if empty and message and re.match(rb"From .*\d\d:\d\d", line):
            yield message
            message = []
        message.append(line)
        empty = line in (b"\n", b"\r\n")
    yield message


class Message:
    """A new message, with a word that no other has."""

    def __init__(self, folder):
        self.word = "q" + os.urandom(8).hex()
        self.path = os.path.join(folder, self.word + ".eml")
        self.sender, self.subject, self.body = "Alice", f"About {self.word}", "Bring the tools to the harbour. " * 40
        with open(self.path, "w", encoding="ascii") as file:
            file.write(
                f"From: {self.sender} <alice@example.org>\nTo: list@example.org\nSubject: {self.subject}\n"
                f"Message-ID: <{self.word}@example.org>\nDate: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime())}\n\n"
                f"{self.body}\n"
            )
