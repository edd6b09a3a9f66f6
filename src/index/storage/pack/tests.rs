use proptest::prelude::*;
use tantivy::directory::TerminatingWrite as _;

use super::*;
use crate::files::local::Folder;
use crate::index::storage::manifest::Manifest;

/// Streams written in turns of some bytes, and the folder they were written in.
fn written(streams: &[(String, Vec<u8>)], turn: usize) -> (tempfile::TempDir, Entry, Arc<Opened>) {
    let folder = tempfile::tempdir().unwrap();
    let (disk, opened) = (Folder::new(folder.path()), Opened::new());
    let pack = NewPack::begin(&disk, &opened).unwrap();
    let mut writers: Vec<_> =
        streams.iter().map(|(path, data)| (pack.stream_writer(path), data.chunks(turn))).collect();
    let mut busy = true;
    while busy {
        busy = false;
        for (writer, chunks) in &mut writers {
            if let Some(chunk) = chunks.next() {
                writer.write_all(chunk).unwrap();
                busy = true;
            }
        }
    }
    for (writer, _) in writers {
        writer.terminate().unwrap();
    }
    for (path, data) in streams {
        let reader = pack.stream(path).unwrap();
        assert_eq!(reader.read(0..data.len()).unwrap().as_slice(), data, "while under way");
    }
    let (entry, _) = pack.finish().unwrap();
    disk.sync().unwrap();
    assert!(pack.finish().is_err(), "no cell is written twice");
    (folder, entry, opened)
}

fn sample(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|i| (seed + i * 7 + i / 251) as u8).collect()
}

fn named(lengths: &[usize]) -> Vec<(String, Vec<u8>)> {
    let stream = |(n, length): (usize, &usize)| (format!("a.{n}"), sample(*length, n));
    lengths.iter().enumerate().map(stream).collect()
}

#[test]
fn small_streams_share_a_cell() {
    let (folder, entry, opened) = written(&named(&[10, 0, 2000, 300]), 7);
    assert_eq!(entry.cells, 4, "no pack is smaller");
    let pack = Arc::new(Pack::open(&Folder::new(folder.path()), &entry, &opened).unwrap());
    for (path, data) in named(&[10, 0, 2000, 300]) {
        assert_eq!(pack.stream(&path).unwrap().read(0..data.len()).unwrap().as_slice(), data);
    }
    assert!(opened.cells() <= 1);
    assert!(pack.stream("b").is_none());
    assert!(pack.stream("a.0").unwrap().read(3..11).is_err());
}

#[test]
fn a_long_stream_has_few_runs() {
    let (_folder, entry, _) = written(&named(&[600 * CELL, 500 * CELL + 1]), CELL);
    for stream in &entry.streams {
        assert!(stream.runs.len() < 24, "{:?}", stream.runs);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_range_of_any_streams_comes_back_also_resealed(
        lengths in prop::collection::vec(0usize..5 * CELL, 1..6),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 4),
        turn in 1000usize..40_000,
    ) {
        let streams = named(&lengths);
        let (folder, entry, opened) = written(&streams, turn);
        let disk = Folder::new(folder.path());
        let pack = Arc::new(Pack::open(&disk, &entry, &opened).unwrap());
        let again = resealed(&disk, &entry, &pack).unwrap();
        prop_assert!(again.secret != entry.secret && again.id != entry.id);
        let again = Arc::new(Pack::open(&disk, &again, &opened).unwrap());
        for pack in [pack, again] {
            for (path, data) in &streams {
                let stream = pack.stream(path).unwrap();
                prop_assert_eq!(stream.len(), data.len());
                for (one, other) in &cuts {
                    let (one, other) = (one.index(data.len() + 1), other.index(data.len() + 1));
                    let range = one.min(other)..one.max(other);
                    let read = stream.read(range.clone()).unwrap();
                    prop_assert_eq!(read.as_slice(), &data[range]);
                }
            }
            let mut cells = 0;
            pack.file.each(|_, cell| { cells += u64::from(cell.is_ok()); true });
            prop_assert_eq!(cells, entry.cells, "every cell is written, unused ones too");
        }
        // What the manifest says of it passes its own check.
        let manifest = Manifest { generation: 1, meta: Vec::new(), packs: vec![entry] };
        prop_assert!(Manifest::decode(&crate::wire::encode(&manifest).unwrap()).is_ok());
    }
}
