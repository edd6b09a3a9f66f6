use super::*;
use crate::files::sim::{SimDisk, cut_everywhere};
use crate::wire::{Decode, Encode};

#[derive(Debug, Default, Encode, Decode)]
struct Number(u64);

impl Record for Number {
    const NAME: &'static str = "number";
    const VERSION: u8 = 1;
    const MAX: usize = 64;
}

impl Kept for Number {
    const FILE: &'static str = "number";
}

fn file(disk: &SimDisk) -> StateFile<Number> {
    StateFile::on(disk.root().folder("state"), Secret::from_slice(&[7; 32]).unwrap())
}

fn set(disk: &SimDisk, number: u64) -> Result<(), Error> {
    file(disk).update(|record| {
        record.0 = number;
        Ok(())
    })
}

/// Returns whether a file of the disk, of any name, holds these bytes.
fn is_there(disk: &SimDisk, bytes: &[u8]) -> bool {
    disk.all().values().any(|file| file == bytes)
}

#[test]
fn a_crash_leaves_the_old_record_or_the_new_one() {
    for before in [0, 1] {
        let prepare = |disk: &SimDisk| {
            if before > 0 {
                set(disk, before).unwrap()
            }
        };
        cut_everywhere(
            prepare,
            |disk, ()| set(disk, 2),
            |disk, (), outcome| {
                let now = file(disk).read().unwrap().0;
                assert!(
                    now == 2 || outcome.is_err() && now == before,
                    "{before}: {now}, {outcome:?}"
                );
                // What a crash leaves, locks too, is in the way of nothing.
                set(disk, 3).unwrap();
                assert_eq!(file(disk).read().unwrap().0, 3);
            },
        );
    }
}

#[test]
fn a_crash_leaves_a_removed_record_or_all_of_it() {
    let prepare = |disk: &SimDisk| set(disk, 1).unwrap();
    cut_everywhere(
        prepare,
        |disk, ()| file(disk).remove(),
        |disk, (), outcome| {
            let now = file(disk).read().unwrap().0;
            assert!(now == 0 || outcome.is_err() && now == 1, "{now}, {outcome:?}");
        },
    );
}

#[test]
fn no_crash_loses_a_record_that_cannot_be_read() {
    let prepare = |disk: &SimDisk| {
        let folder = disk.root().folder("state");
        folder.make().unwrap();
        disk::replace(&*folder, Number::FILE, b"of another version").unwrap();
    };
    let work = |disk: &SimDisk, (): &mut ()| file(disk).replace(&Number(2));
    cut_everywhere(prepare, work, |disk, (), outcome| {
        assert!(is_there(disk, b"of another version"));
        match file(disk).read() {
            Ok(record) => assert!(record.0 == 2 || record.0 == 0 && outcome.is_err()),
            Err(error) => assert!(outcome.is_err(), "{error}"),
        }
    });
}
