use std::fs::File;
use std::io::Write as _;

use proptest::prelude::*;

use super::*;
use crate::files::local::Open;

fn secret(byte: u8) -> Secret<32> {
    Secret::from_slice(&[byte; 32]).unwrap()
}

const NAME: &str = "00112233445566778899aabbccddeeff";

/// A file of these cells, the last of them marked.
fn sealed(cells: &[&[u8]], salt: [u8; SALT]) -> Vec<u8> {
    let file: Arc<dyn Handle> = Arc::new(Open::new(tempfile::tempfile().unwrap()));
    file.write_at(&header(&salt), 0).unwrap();
    let cipher = Cipher::new(&secret(1), &salt, NAME);
    let new = CellFile::begin(Arc::clone(&file), cipher, NAME.into(), &Opened::new());
    for (number, cell) in (0..).zip(cells) {
        new.write(number, number + 1 == cells.len() as u64, &mut cell.to_vec()).unwrap();
    }
    let mut bytes = vec![0; file.length().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

fn open(bytes: &[u8], name: &str, cells: u64) -> io::Result<CellFile> {
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    CellFile::open(
        Arc::new(Open::new(file)),
        &secret(1),
        &[5; SALT],
        name.into(),
        cells,
        &Opened::new(),
    )
}

/// Reads every cell, or names the first that does not open.
fn read_all(bytes: &[u8], name: &str, cells: u64) -> io::Result<Vec<OwnedBytes>> {
    open(bytes, name, cells)?.read(0, cells)
}

fn sample(byte: u8) -> Vec<u8> {
    (0..CELL).map(|i| byte ^ (i * 7 + i / 251) as u8).collect()
}

/// The example in `FORMAT.md` is what the code writes.
#[test]
fn the_example_of_the_format() {
    let secret = Secret::from_slice(&core::array::from_fn::<u8, 32, _>(|i| i as u8)).unwrap();
    let salt = core::array::from_fn(|i| 0x20 + i as u8);
    let cipher = Cipher::new(&secret, &salt, NAME);
    let mut file = header(&salt).to_vec();
    for (number, text) in (0..).zip(["hello", ""]) {
        let mut cell = text.as_bytes().to_vec();
        cipher.seal(number, number == 1, &mut cell);
        file.extend(cell);
    }
    let hex = |range: std::ops::Range<usize>| crate::text::hex_encode(&file[range]);
    let mut lines = vec![format!("name      {NAME}"), format!("length    {}", file.len())];
    for (what, range) in [
        ("magic", 0..8),
        ("salt", 8..40),
        ("cell 0", 40..72),
        ("tag 0", 4136..4152),
        ("cell 1", 4152..4184),
        ("tag 1", 8248..8264),
    ] {
        lines.push(format!("{what:<8}  {}", hex(range)));
    }
    let example = lines.join("\n");
    assert!(include_str!("../../FORMAT.md").contains(&example), "expected:\n{example}");
}

#[test]
fn any_flipped_bit_is_found_and_named() {
    let good = sealed(&[&sample(1), &sample(2), &sample(3)], [5; SALT]);
    assert_eq!(read_all(&good, NAME, 3).unwrap()[1].as_slice(), sample(2));
    for at in (0..good.len()).step_by(97).chain(0..60).chain(good.len() - 30..good.len()) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let error = read_all(&bad, NAME, 3).unwrap_err();
        assert!(error.to_string().starts_with(NAME), "byte {at}: {error}");
    }
}

#[test]
fn cut_lengthened_swapped_renamed_or_foreign_is_found() {
    let (one, two, three) = (sample(1), sample(2), sample(3));
    let good = sealed(&[&one, &two, &three], [5; SALT]);
    for cut in [0, 1, 39, 40, 63, 64, good.len() - 1, good.len() - SEALED] {
        assert!(read_all(&good[..cut], NAME, 3).is_err(), "cut at {cut}");
    }
    assert!(read_all(&[good.as_slice(), &[0; 16]].concat(), NAME, 3).is_err());
    // The last cell gone, and a list that says so: another cell is not the last.
    assert!(read_all(&good[..good.len() - SEALED], NAME, 2).is_err());
    let longer = sealed(&[&one, &two, &three, &one], [5; SALT]);
    assert!(read_all(&longer[..good.len()], NAME, 3).is_err());
    // Two cells of one file change places.
    let mut swapped = good.clone();
    let (first, second) = swapped[HEADER..].split_at_mut(SEALED);
    first.swap_with_slice(&mut second[..SEALED]);
    assert!(read_all(&swapped, NAME, 3).unwrap_err().to_string().contains("cell 0"));
    // The same cell of another file of the same content.
    let mut mixed = good.clone();
    let other = sealed(&[&one, &two, &three], [6; SALT]);
    mixed[HEADER..HEADER + SEALED].copy_from_slice(&other[HEADER..HEADER + SEALED]);
    assert!(read_all(&mixed, NAME, 3).is_err());
    assert!(read_all(&other, NAME, 3).unwrap_err().to_string().contains("does not begin"));
    assert!(read_all(&good, "ff112233445566778899aabbccddeeff", 3).is_err());
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&good).unwrap();
    let salt = [5; SALT];
    let other = CellFile::open(
        Arc::new(Open::new(file)),
        &secret(2),
        &salt,
        NAME.into(),
        3,
        &Opened::new(),
    )
    .unwrap();
    assert!(other.cell(0).is_err());
}

#[test]
fn a_read_opens_what_it_touches_only_and_the_cache_is_used() {
    let cells: Vec<Vec<u8>> = (0..8).map(sample).collect();
    let cells: Vec<&[u8]> = cells.iter().map(Vec::as_slice).collect();
    let file = open(&sealed(&cells, [5; SALT]), NAME, 8).unwrap();
    file.read(3, 1).unwrap();
    assert_eq!(file.opened.cells(), 1);
    assert_eq!(file.read(2, 4).unwrap()[3].as_slice(), sample(5));
    assert_eq!(file.read_many(2, 3).unwrap(), [sample(2), sample(3), sample(4)].concat());
    assert_eq!(file.opened.cells(), 7, "past the cache");
    let mut seen = 0;
    file.each(|number, cell| {
        assert_eq!(cell.unwrap(), sample(number as u8));
        seen += 1;
        true
    });
    assert_eq!(seen, 8);
}

proptest! {
    #[test]
    fn padding_is_little_and_steady(cells in 1u64..1 << 30) {
        let padded = padded(cells);
        prop_assert!(padded >= cells && padded <= cells + cells * 12 / 100 + 4);
        prop_assert_eq!(super::padded(padded), padded);
    }
}
