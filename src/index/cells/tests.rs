use std::io::{Seek as _, SeekFrom};

use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> Secret<32> {
    Secret::from_slice(&[byte; 32]).unwrap()
}

fn sealed(data: &[u8], name: &str) -> Vec<u8> {
    let mut writer = CellWriter::new(Vec::new(), &key(1), name).unwrap();
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn open(bytes: &[u8], name: &str) -> io::Result<CellFile> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    CellFile::open(file, &key(1), name, "disk-name", &Opened::new())
}

/// Reads everything, padding cells too.
fn read_all(bytes: &[u8], name: &str) -> io::Result<Vec<u8>> {
    let file = open(bytes, name)?;
    for cell in 0..file.cells() {
        file.cell(cell)?;
    }
    Ok(file.read(0..file.len())?.to_vec())
}

fn sample(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 7 + i / 251) as u8).collect()
}

/// The example in `FORMAT.md` is what the code writes.
#[test]
fn the_example_of_the_format() {
    let index_key = Secret::from_slice(&core::array::from_fn::<u8, 32, _>(|i| i as u8)).unwrap();
    let salt = core::array::from_fn(|i| 0x20 + i as u8);
    let mut writer = CellWriter::with_salt(Vec::new(), &index_key, "meta.json", salt).unwrap();
    writer.write_all(b"hello").unwrap();
    let file = writer.finish().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let directory = super::super::directory::CellDirectory::new(folder.path(), index_key);
    let name = directory.name_on_disk(std::path::Path::new("meta.json"));
    let hex = |range: Range<usize>| crate::text::hex_encode(&file[range]);
    let mut lines = vec![format!("name      {name}"), format!("length    {}", file.len())];
    for (what, range) in [
        ("magic", 0..8),
        ("salt", 8..40),
        ("cell 0", 40..72),
        ("tag 0", 16_424..16_440),
        ("closing", 16_440..16_464),
    ] {
        lines.push(format!("{what:<8}  {}", hex(range)));
    }
    let example = lines.join("\n");
    assert!(include_str!("../FORMAT.md").contains(&example), "expected:\n{example}");
}

#[test]
fn lengths_around_the_cell() {
    for length in [0, 1, CELL - 1, CELL, CELL + 1, 3 * CELL, 9 * CELL + 5] {
        let data = sample(length);
        let file = sealed(&data, "a");
        assert_eq!(read_all(&file, "a").unwrap(), data);
        assert_eq!((file.len() as u64 - HEADER - CLOSING as u64) % SEALED, 0);
    }
    assert_eq!(sealed(b"", "a").len(), sealed(&sample(CELL), "a").len());
}

#[test]
fn any_flipped_bit_is_found_and_named() {
    let data = sample(2 * CELL + 100);
    let good = sealed(&data, "a");
    for at in (0..good.len()).step_by(97).chain(0..60).chain(good.len() - 30..good.len()) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let error = read_all(&bad, "a").unwrap_err();
        assert!(error.to_string().starts_with("disk-name: "), "byte {at}: {error}");
    }
}

#[test]
fn cut_lengthened_swapped_renamed_or_rekeyed_is_found() {
    let data = sample(4 * CELL);
    let good = sealed(&data, "a");
    for cut in [0, 1, 39, 40, 63, 64, good.len() - 1, good.len() - SEALED as usize] {
        assert!(read_all(&good[..cut], "a").is_err(), "cut at {cut}");
    }
    // A whole cell taken out, the closing cell kept.
    let mut shorter = good.clone();
    shorter.drain(HEADER as usize..(HEADER + SEALED) as usize);
    assert!(read_all(&shorter, "a").is_err());
    let longer = [good.as_slice(), &[0; 16]].concat();
    assert!(read_all(&longer, "a").is_err());
    // A cell of nothing but padding taken out: no content is lost, but it is not the file written.
    let length =
        (100..400).map(|n| n * CELL + 1).find(|n| cells_of(*n as u64) as usize > n / CELL + 1);
    let padded = sealed(&sample(length.unwrap()), "a");
    let closing = padded.len() - CLOSING;
    let cut = [&padded[..closing - SEALED as usize], &padded[closing..]].concat();
    assert!(read_all(&padded, "a").is_ok() && read_all(&cut, "a").is_err());
    // Two cells of one file change places.
    let mut swapped = good.clone();
    let (one, two) = swapped[HEADER as usize..].split_at_mut(SEALED as usize);
    one.swap_with_slice(&mut two[..SEALED as usize]);
    assert!(read_all(&swapped, "a").unwrap_err().to_string().contains("cell 0"));
    // The same cell of another file of the same name and length.
    let mut mixed = good.clone();
    let range = HEADER as usize..(HEADER + SEALED) as usize;
    mixed[range.clone()].copy_from_slice(&sealed(&data, "a")[range]);
    assert!(read_all(&mixed, "a").is_err());
    assert!(read_all(&good, "b").is_err());
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&good).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    assert!(CellFile::open(file, &key(2), "a", "disk-name", &Opened::new()).is_err());
}

#[test]
fn a_read_opens_what_it_touches_only_and_the_cache_is_used() {
    let file = open(&sealed(&sample(8 * CELL), "a"), "a").unwrap();
    file.read(3 * CELL + 5..3 * CELL + 9).unwrap();
    assert_eq!(file.opened.cells(), 1);
    file.read(3 * CELL..5 * CELL).unwrap();
    assert_eq!(file.opened.cells(), 2);
    assert!(file.read(0..8 * CELL + 1).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_range_of_any_length(
        length in 0usize..5 * CELL, one in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(), step in 1usize..40_000,
    ) {
        let data = sample(length);
        let mut writer = CellWriter::new(Vec::new(), &key(1), "a").unwrap();
        for piece in data.chunks(step) {
            writer.write_all(piece).unwrap();
        }
        let file = open(&writer.finish().unwrap(), "a").unwrap();
        let (one, other) = (one.index(length + 1), other.index(length + 1));
        let range = one.min(other)..one.max(other);
        let read = file.read(range.clone()).unwrap();
        prop_assert_eq!(read.as_slice(), &data[range]);
    }
}
