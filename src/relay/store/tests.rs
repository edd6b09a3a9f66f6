//! Behaviours of every store, and processes that are killed in the middle of their work.

#[macro_use]
mod suite;

#[cfg(feature = "distributed")]
mod cluster;
mod crash;
mod embedded;

use super::*;

const BOX: Mailbox = Mailbox([7; 32]);

#[tokio::test]
async fn the_first_gives_way_when_too_many_wait() {
    let arrivals = Arrivals::default();
    let mut waiters: Vec<_> = (0..MAX_WAITING).map(|_| arrivals.wait_at(BOX)).collect();
    // Who left takes no place, however often others come and go.
    for _ in 0..3 * MAX_WAITING {
        waiters.pop();
        waiters.push(arrivals.wait_at(BOX));
    }
    arrivals.tell(&BOX);
    for waiter in &mut waiters {
        assert_eq!(waiter.arrived().await, Ok(()));
    }
    waiters.push(arrivals.wait_at(BOX));
    assert_eq!(waiters[0].arrived().await, Err(Displaced));
    arrivals.tell(&BOX);
    for waiter in &mut waiters[1..] {
        assert_eq!(waiter.arrived().await, Ok(()));
    }
    assert_eq!(arrivals.mailboxes(), [BOX]);
    drop(waiters);
    assert!(arrivals.mailboxes().is_empty());
}
