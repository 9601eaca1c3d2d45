//! Versions in the order of the ledger: of a record, a type, a space.
//!
//! Times become positions first (times grow along the ledger, so a binary search finds them); what
//! is left is a range of positions. `current_from` alone needs a look at each version's successor.

use store::{
    HistoryOf, HistoryOrder, HistoryPage, Instant, Listed, Position, Record, RecordKey, Row, Space,
    StoreError, TypeNumber, VersionNumber,
};

use crate::fault;
use crate::layout::{self, BODIES, CHANGES, Changed, HISTORY, Version};
use crate::search::head_of;
use crate::view::TenantView;

/// The versions of one page.
pub(crate) fn page(
    view: &TenantView,
    of: &HistoryOf,
    page: &HistoryPage,
) -> Result<Vec<Record>, StoreError> {
    gathered(view, of, page, |it| load(view, it))
}

/// The versions of one page without their content.
pub(crate) fn listed(
    view: &TenantView,
    of: &HistoryOf,
    page: &HistoryPage,
) -> Result<Vec<Listed>, StoreError> {
    gathered(view, of, page, |it| {
        Ok(Listed {
            kind: it.kind,
            row: it.row,
            version: it.number,
            position: it.position,
        })
    })
}

fn gathered<T>(
    view: &TenantView,
    of: &HistoryOf,
    page: &HistoryPage,
    taken: impl Fn(Place) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    let bounds = Bounds::of(view, page)?.after(page);
    if page.limit == 0 || bounds.is_empty() {
        return Ok(found);
    }
    each(view, of, &bounds, page.order, |place| {
        if !current(view, place, page.current_from)? {
            return Ok(Go::On);
        }
        found.push(taken(place)?);
        Ok(if found.len() < page.limit {
            Go::On
        } else {
            Go::NoFurther
        })
    })?;
    Ok(found)
}

/// The number of versions within the page's bounds, its cursor and limit aside.
pub(crate) fn total(
    view: &TenantView,
    of: &HistoryOf,
    page: &HistoryPage,
) -> Result<u64, StoreError> {
    let bounds = Bounds::of(view, page)?;
    let mut total = 0;
    if !bounds.is_empty() {
        each(view, of, &bounds, HistoryOrder::OldestFirst, |place| {
            total += u64::from(current(view, place, page.current_from)?);
            Ok(Go::On)
        })?;
    }
    Ok(total)
}

/// Where a version lies.
#[derive(Clone, Copy)]
struct Place {
    space: Space,
    kind: TypeNumber,
    row: Row,
    number: VersionNumber,
    position: Position,
}

/// Whether a walk goes on.
#[derive(PartialEq, Eq)]
enum Go {
    On,
    NoFurther,
}

/// Positions, both ends included.
struct Bounds {
    first: u64,
    last: u64,
}

impl Bounds {
    fn of(view: &TenantView, page: &HistoryPage) -> Result<Self, StoreError> {
        let first = page.since.map_or(Ok(1), |since| first_at(view, since))?;
        let last = match page.before {
            None => view.position.0,
            Some(before) => first_at(view, before)? - 1,
        };
        Ok(Self { first, last })
    }

    fn after(self, page: &HistoryPage) -> Self {
        match (page.after, page.order) {
            (None, _) => self,
            (Some(after), HistoryOrder::NewestFirst) => Self {
                last: self.last.min(after.0.saturating_sub(1)),
                ..self
            },
            (Some(after), HistoryOrder::OldestFirst) => Self {
                first: self.first.max(after.0.saturating_add(1)),
                ..self
            },
        }
    }

    fn is_empty(&self) -> bool {
        self.first > self.last
    }

    fn hold(&self, position: Position) -> bool {
        (self.first..=self.last).contains(&position.0)
    }
}

/// The position of the first ledger entry at or after this instant; the one after the last if none.
fn first_at(view: &TenantView, instant: Instant) -> Result<u64, StoreError> {
    let (mut low, mut high) = (1, view.position.0 + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if view.ledger_entry(Position(middle))?.time < instant {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn each(
    view: &TenantView,
    of: &HistoryOf,
    bounds: &Bounds,
    order: HistoryOrder,
    mut visit: impl FnMut(Place) -> Result<Go, StoreError>,
) -> Result<(), StoreError> {
    let (space, list) = match of {
        HistoryOf::Record(key) => return each_of_record(view, key, bounds, order, visit),
        HistoryOf::Kind(space, kind) => (*space, layout::kind_changes(*space, *kind)),
        HistoryOf::Space(space) => (*space, layout::space_changes(*space)),
    };
    let from = layout::change_key(&list, Position(bounds.first));
    let to = layout::change_key(&list, Position(bounds.last));
    let mut range = view.snapshot.range(CHANGES, from..=to);
    loop {
        let next = match order {
            HistoryOrder::OldestFirst => range.next(),
            HistoryOrder::NewestFirst => range.next_back(),
        };
        let Some(entry) = next else { return Ok(()) };
        let (key, value) = entry.map_err(fault::engine)?;
        let changed = Changed::decode(&value)?;
        let place = Place {
            space,
            kind: changed.kind,
            row: changed.row,
            number: changed.version,
            position: layout::position_of_change(&key)?,
        };
        if visit(place)? == Go::NoFurther {
            return Ok(());
        }
    }
}

fn each_of_record(
    view: &TenantView,
    key: &RecordKey,
    bounds: &Bounds,
    order: HistoryOrder,
    mut visit: impl FnMut(Place) -> Result<Go, StoreError>,
) -> Result<(), StoreError> {
    let Some(head) = head_of(&view.snapshot, key)? else {
        return Ok(());
    };
    let prefix = layout::body_key(key.space, key.kind, head.row);
    let newest = view.get(BODIES, &prefix)?.map(Ok);
    let mut older = view.snapshot.prefix(HISTORY, &prefix);
    let older = std::iter::from_fn(|| match order {
        HistoryOrder::OldestFirst => older.next(),
        HistoryOrder::NewestFirst => older.next_back(),
    });
    let older = older.map(|entry| entry.map(|(_, value)| value).map_err(fault::engine));
    let (first, last) = match order {
        HistoryOrder::NewestFirst => (newest, None),
        HistoryOrder::OldestFirst => (None, newest),
    };
    for bytes in first.into_iter().chain(older).chain(last) {
        let version = Version::decode(&bytes?)?;
        let place = Place {
            space: key.space,
            kind: key.kind,
            row: head.row,
            number: version.number,
            position: version.position,
        };
        if bounds.hold(version.position) && visit(place)? == Go::NoFurther {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether a version was the newest at or after this instant, or became so.
fn current(view: &TenantView, place: Place, from: Option<Instant>) -> Result<bool, StoreError> {
    let Some(from) = from else { return Ok(true) };
    let successor = VersionNumber(place.number.0 + 1);
    let next = view.version(place.space, place.kind, place.row, successor)?;
    Ok(next.is_none_or(|next| next.time > from))
}

fn load(view: &TenantView, place: Place) -> Result<Record, StoreError> {
    let version = view.version(place.space, place.kind, place.row, place.number)?;
    let key = view.key_of(place.row)?;
    let (Some(version), Some(key)) = (version, key) else {
        return Err(StoreError::Corrupt(
            "a version that was listed is missing".to_owned(),
        ));
    };
    view.record(key, place.row, &version)
}
