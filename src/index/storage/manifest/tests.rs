use std::sync::Arc;

use super::*;
use crate::files::local::Folder;

fn key(byte: u8) -> Secret<32> {
    Secret::from_slice(&[byte; 32]).unwrap()
}

fn entry() -> Entry {
    let stream = StreamEntry {
        path: "ab.idx".into(),
        length: 2 * CELL as u64 + 9,
        runs: vec![(0, 1), (3, 1)],
        tail: 4 * CELL as u64,
    };
    Entry { id: [1; 16], secret: key(2), salt: [3; SALT], cells: 5, streams: vec![stream] }
}

fn manifest(generation: u64) -> Manifest {
    Manifest { generation, meta: format!("meta {generation}").into(), packs: vec![entry()] }
}

#[test]
fn golden_bytes() {
    let bytes = wire::encode(&manifest(3)).unwrap();
    let expected = [
        "01".into(),
        "03".into(),
        "066d6574612033".into(),
        "01".into(),
        "01".repeat(16),
        "02".repeat(32),
        "03".repeat(32),
        "05".into(),
        "01".into(),
        "0661622e696478".into(),
        "fb0920".into(),
        "0200010301".into(),
        "fb0040".into(),
    ];
    assert_eq!(text::hex_encode(&bytes), expected.concat());
    assert_eq!(wire::encode(&Manifest::decode(&bytes).unwrap()).unwrap(), bytes);
}

#[test]
fn streams_outside_their_pack_are_refused() {
    type Change = fn(&mut Entry);
    let changes: [Change; 7] = [
        |entry| entry.cells = 4,
        |entry| entry.cells = u64::MAX,
        |entry| entry.streams[0].length = u64::MAX,
        |entry| entry.streams[0].length = 1,
        |entry| entry.streams[0].runs[1] = (u64::MAX, 2),
        |entry| entry.streams[0].runs[0].1 = u64::MAX,
        |entry| entry.streams[0].tail = u64::MAX,
    ];
    for change in changes {
        let mut bad = manifest(1);
        change(&mut bad.packs[0]);
        let bytes = wire::encode(&bad).unwrap();
        assert!(matches!(Manifest::decode(&bytes), Err(wire::Error::Malformed { .. })));
    }
}

#[test]
fn the_newest_that_opens_and_what_is_said_of_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(Folder::new(folder.path()));
    let keys = [key(1)];
    let newest = || newest(&*disk, &keys).unwrap();
    assert!(matches!(newest(), Err(None)));
    manifest(1).write(&*disk, &keys[0]).unwrap();
    let found = newest().unwrap();
    assert!(found.newest.generation == 1 && found.doubt.is_none() && found.before.is_none());
    let mut copies = vec![stamps(&*disk)];
    for generation in 2..5 {
        manifest(generation).write(&*disk, &keys[0]).unwrap();
        let found = newest().unwrap();
        assert_eq!(found.newest.meta, format!("meta {generation}").as_bytes());
        assert_eq!((found.before.unwrap().generation, found.doubt), (generation - 1, None));
        copies.push(stamps(&*disk));
    }
    copies.dedup();
    assert_eq!(copies.len(), 4, "every writing is seen");

    let path = |slot: usize| folder.path().join(SLOTS[slot]);
    let good = [0, 1].map(|slot| std::fs::read(path(slot)).unwrap());
    assert!(good.iter().all(|bytes| bytes.len() == 1 + 32 + GRAIN + 16));
    let put = |slot: usize, bytes: &[u8]| std::fs::write(path(slot), bytes).unwrap();
    // Generation 4 stands in the first place.
    for at in (0..good[0].len()).step_by(41) {
        let mut bad = good[0].clone();
        bad[at] ^= 1;
        put(0, &bad);
        let found = newest().unwrap();
        assert_eq!((found.newest.generation, found.doubt.unwrap().file.as_str()), (3, SLOTS[0]));
    }
    for bad in [&good[0][..0], &good[0][..100], &good[1]] {
        put(0, bad);
        let found = newest().unwrap();
        assert_eq!((found.newest.generation, found.doubt.unwrap().file.as_str()), (3, SLOTS[0]));
    }
    std::fs::remove_file(path(0)).unwrap();
    assert_eq!(newest().unwrap().doubt.unwrap().what, "it is missing");
    put(1, b"nothing");
    assert!(matches!(newest(), Err(Some(damage)) if damage.file == SLOTS[1]));
    put(0, &good[0]);
    let found = newest().unwrap();
    assert_eq!((found.newest.generation, found.doubt.unwrap().file.as_str()), (4, SLOTS[1]));
    // An old copy in the place of the generation before.
    manifest(1).write(&*disk, &keys[0]).unwrap();
    assert!(newest().unwrap().doubt.unwrap().what.contains("old copy"));
    assert!(matches!(super::newest(&*disk, &[key(2)]).unwrap(), Err(Some(_))));
}
