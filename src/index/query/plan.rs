//! What of a query is asked of each document found, rather than of the engine.

use crate::index::document::summary::order_from;
use crate::index::query::expr::{Expr, Query};

/// Dates and sizes that every document found must have. The engine would read a whole column for
/// each; of a few documents it is known otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The least and the greatest [`order`](crate::index::document::summary::order).
    order: (u64, u64),
    size: (u64, u64),
}

impl Bounds {
    pub(crate) const NONE: Self = Self { order: (0, u64::MAX), size: (0, u64::MAX) };

    /// Whether anything is left out by them.
    pub(crate) fn any(&self) -> bool {
        *self != Self::NONE
    }

    /// Whether sizes count.
    pub(crate) fn has_sizes(&self) -> bool {
        self.size != Self::NONE.size
    }

    pub(crate) fn hold(&self, order: u64, size: u64) -> bool {
        let within = |(least, most): (u64, u64), value| least <= value && value <= most;
        within(self.order, order) && within(self.size, size)
    }

    /// Narrows the bounds by a date or a size; false for what is neither.
    fn take(&mut self, expr: &Expr) -> bool {
        let narrow = |range: &mut (u64, u64), least: u64, most: u64| {
            *range = (range.0.max(least), range.1.min(most));
        };
        match expr {
            Expr::Date { from, to } => {
                let from = from.map_or(1 << 16, order_from);
                let to = to.map_or(u64::MAX, |to| order_from(to) - 1);
                narrow(&mut self.order, from, to);
            }
            Expr::Size { from, to } => {
                narrow(&mut self.size, from.unwrap_or(0), to.unwrap_or(u64::MAX));
            }
            _ => return false,
        }
        true
    }
}

impl Query {
    /// The query without the dates and sizes that all of it is under, and these.
    pub(crate) fn plan(&self) -> (Expr, Bounds) {
        let mut bounds = Bounds::NONE;
        let expr = match &self.0 {
            Expr::And(all) => {
                let rest: Vec<_> = all.iter().filter(|one| !bounds.take(one)).cloned().collect();
                match <[Expr; 1]>::try_from(rest) {
                    Ok([only]) => only,
                    Err(rest) if rest.is_empty() => Expr::All,
                    Err(rest) => Expr::And(rest),
                }
            }
            one if bounds.take(one) => Expr::All,
            other => other.clone(),
        };
        (expr, bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_taken_out() {
        let plan = |text| Query::parse(text).unwrap().plan();
        let (expr, bounds) = plan("a after:1970-01-02 before:1970-01-03 size:>1 size:<10");
        assert_eq!(expr, Query::parse("a").unwrap().0);
        let day = 86_400 << 16;
        assert!(bounds.hold(day, 2) && bounds.hold(2 * day - 1, 9));
        for (order, size) in [(day - 1, 2), (2 * day, 2), (day, 1), (day, 10)] {
            assert!(!bounds.hold(order, size), "{order} {size}");
        }
        assert_eq!(plan("date:1970").0, Expr::All);
        assert_eq!(plan("a -date:1970").1, Bounds::NONE);
        assert_eq!(plan("a OR date:1970").1, Bounds::NONE);
        assert_eq!(plan("a b date:1970").0, Query::parse("a b").unwrap().0);
        // A document without a date is neither before nor after.
        assert!(!plan("before:2026").1.hold(5, 0));
    }
}
