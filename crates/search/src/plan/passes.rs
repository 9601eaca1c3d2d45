//! What each test says of a value: stated once, for both vocabularies.
//!
//! A provider that keeps values in forms of its own tests these forms, and its tests compare them
//! with this.

use std::ops::RangeBounds;

use super::{EARTH_RADIUS_METRES, Test};
use crate::entry::{EntryValue, Place, Vocabulary};

impl<V: Vocabulary> Test<V> {
    /// Whether the value passes. One of another kind than the test is about does not.
    pub fn passes(&self, value: &EntryValue<V>) -> bool {
        match (self, value) {
            (Self::Present, _) => true,
            (Self::Is(wanted), value) => wanted == value,
            (Self::Code(wanted), EntryValue::Token { code, .. }) => wanted == code,
            (Self::System(wanted), EntryValue::Token { system, .. }) => wanted == system,
            (Self::TextStarts(text), EntryValue::Text { folded, .. }) => {
                folded.starts_with(&**text)
            }
            (Self::TextContains(text), EntryValue::Text { folded, .. }) => folded.contains(&**text),
            (Self::TextIs(text), EntryValue::Text { exact, .. }) => exact == text,
            (Self::UriStarts(text), EntryValue::Uri(uri)) => uri.starts_with(&**text),
            (
                Self::Period { low, high },
                EntryValue::Period {
                    low: first,
                    high: last,
                },
            ) => low.contains(first) && high.contains(last),
            (
                Self::Number { unit, low, high },
                EntryValue::Number {
                    unit: of,
                    low: least,
                    high: greatest,
                },
            ) => unit == of && low.contains(least) && high.contains(greatest),
            (Self::Near { place, metres }, EntryValue::Place(at)) => place.is_near(*at, *metres),
            _ => false,
        }
    }
}

impl Place {
    /// Whether another place is at most so far away, by the haversine formula over a sphere of
    /// [`EARTH_RADIUS_METRES`].
    pub fn is_near(self, other: Self, metres: u32) -> bool {
        let radians = |units: i32| (f64::from(units) / Self::DEGREE).to_radians();
        let (north, south) = (radians(self.latitude), radians(other.latitude));
        let across = (radians(other.longitude) - radians(self.longitude)) / 2.0;
        let along = (south - north) / 2.0;
        let chord = along.sin().powi(2) + north.cos() * south.cos() * across.sin().powi(2);
        let distance = 2.0 * chord.clamp(0.0, 1.0).sqrt().asin() * f64::from(EARTH_RADIUS_METRES);
        distance <= f64::from(metres)
    }
}
