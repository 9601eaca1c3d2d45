//! The records that conditions on other records are about, each condition's once they are gathered:
//! by them a record is judged without looking at the others.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use store::{Row, StoreError};

use super::reads::Reads;

/// By the number of the condition.
#[derive(Default)]
pub(super) struct Sets(RefCell<HashMap<usize, Set>>);

enum Set {
    Gathered(Rc<[Row]>),
    /// So many steps did not suffice.
    Beyond(u64),
}

impl Sets {
    /// What has been gathered.
    pub(super) fn known(&self, number: usize) -> Option<Rc<[Row]>> {
        match self.0.borrow().get(&number) {
            Some(Set::Gathered(rows)) => Some(Rc::clone(rows)),
            _ => None,
        }
    }

    /// Gathers it if it is not known yet.
    pub(super) fn get(
        &self,
        number: usize,
        gather: impl FnOnce() -> Result<Option<Vec<Row>>, StoreError>,
    ) -> Result<Option<Rc<[Row]>>, StoreError> {
        if let Some(known) = self.known(number) {
            return Ok(Some(known));
        }
        let Some(rows) = gather()? else {
            return Ok(None);
        };
        let rows: Rc<[Row]> = rows.into();
        let set = Set::Gathered(Rc::clone(&rows));
        self.0.borrow_mut().insert(number, set);
        Ok(Some(rows))
    }

    /// The same with so many steps, unless it is known that they do not suffice.
    pub(super) fn soon(
        &self,
        state: &Reads<'_>,
        number: usize,
        steps: u64,
        gather: impl FnOnce() -> Result<Option<Vec<Row>>, StoreError>,
    ) -> Result<Option<Rc<[Row]>>, StoreError> {
        if let Some(Set::Beyond(tried)) = self.0.borrow().get(&number)
            && *tried >= steps
        {
            return Ok(None);
        }
        let found = state.attempt(steps, || self.get(number, gather))?.flatten();
        if found.is_none() {
            self.0.borrow_mut().insert(number, Set::Beyond(steps));
        }
        Ok(found)
    }
}
