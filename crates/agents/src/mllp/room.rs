//! Room for messages that are being received: `buffer_bytes_max` for all connections of a channel
//! together, and for one message at a time as much as it needs beyond. Without that, connections that
//! each hold a part of a message and wait for room for the rest would wait for each other.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit in which bytes are counted.
const UNIT_BYTES: usize = 1 << 10;

/// The room of a channel.
pub(super) struct Rooms {
    units: Arc<Semaphore>,
    units_most: u32,
    beyond: Arc<Semaphore>,
}

/// What one message takes of it, until this is dropped.
#[derive(Default)]
pub(super) struct Room {
    units: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
}

impl Rooms {
    /// Room for so many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        let units = bytes_max.div_ceil(UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        Self {
            units: Arc::new(Semaphore::new(units)),
            units_most: u32::try_from(units).unwrap_or(u32::MAX),
            beyond: Arc::new(Semaphore::new(1)),
        }
    }

    /// Waits until there is room for so many bytes of a message.
    pub(super) async fn make(&self, room: &mut Room, bytes: usize) {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let has = room
            .units
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = units
            .min(self.units_most)
            .saturating_sub(u32::try_from(has).unwrap_or(u32::MAX));
        if wanted == 0 || room.beyond.is_some() {
            return;
        }
        tokio::select! {
            biased;
            more = Arc::clone(&self.units).acquire_many_owned(wanted) => match &mut room.units {
                Some(units) => more.into_iter().for_each(|it| units.merge(it)),
                units => *units = more.ok(),
            },
            beyond = Arc::clone(&self.beyond).acquire_owned() => room.beyond = beyond.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_message_goes_beyond_and_the_others_wait_for_it() {
        let rooms = Rooms::new(8 << 10);
        let mut all = [(); 3].map(|()| Room::default());
        for room in &mut all {
            rooms.make(room, 2 << 10).await;
        }
        // Two units are left, of which none of them wants fewer than three more.
        let [first, second, third] = &mut all;
        rooms.make(first, 5 << 10).await;
        assert!(first.beyond.is_some());
        for room in [&mut *second, &mut *third] {
            let made = tokio::time::timeout(Duration::ZERO, rooms.make(room, 5 << 10));
            assert!(made.await.is_err());
        }
        *first = Room::default();
        rooms.make(second, 5 << 10).await;
        rooms.make(third, 5 << 10).await;
        assert!(second.beyond.is_none() && third.beyond.is_some());
    }
}
