//! Runs of the loader: a named row each, there only while the run is unfinished.
//!
//! The run's id is part of every idempotency key, so an interrupted load that is taken up again
//! repeats nothing, while loading the same files once more after the end is a new load.

use store::{Commit, NamedChange, NamedKey, TenantId};

use crate::{InteractionError, Interactions};

/// An unfinished run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadRun {
    /// What is loaded: a hash over the files and the way they go.
    pub fingerprint: String,
    /// The run's id.
    pub id: String,
    /// Numbers of the files that are done.
    pub done: Vec<usize>,
}

impl LoadRun {
    /// The run as text: its id, then the numbers of the files that are done.
    pub fn encode(&self) -> String {
        let done: Vec<_> = self.done.iter().map(ToString::to_string).collect();
        format!("{}\n{}", self.id, done.join(","))
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(fingerprint: &str, text: &str) -> Option<Self> {
        let (id, done) = text.split_once('\n')?;
        let done = done.split(',').filter(|it| !it.is_empty()).map(str::parse);
        let done = done.collect::<Result<_, _>>().ok()?;
        Some(Self {
            fingerprint: fingerprint.to_owned(),
            id: id.to_owned(),
            done,
        })
    }

    fn key(&self) -> NamedKey {
        key(&self.fingerprint)
    }
}

fn key(fingerprint: &str) -> NamedKey {
    NamedKey(format!("load/{fingerprint}").into())
}

impl Interactions {
    /// Begins a run of what has this fingerprint, or takes up the unfinished one.
    pub async fn begin_load(
        &self,
        tenant: &TenantId,
        fingerprint: &str,
    ) -> Result<LoadRun, InteractionError> {
        let view = self.store.view(tenant, store::At::Newest).await;
        let view = view.map_err(|error| InteractionError::from(&error))?;
        let rows = view.named(&[key(fingerprint)]).await;
        let row = rows
            .map_err(|error| InteractionError::from(&error))?
            .into_iter()
            .flatten()
            .next();
        let known =
            row.and_then(|row| LoadRun::decode(fingerprint, std::str::from_utf8(&row.value).ok()?));
        if let Some(run) = known {
            return Ok(run);
        }
        let id = uuid::Uuid::now_v7().simple().to_string();
        let run = LoadRun {
            fingerprint: fingerprint.to_owned(),
            id,
            done: Vec::new(),
        };
        self.note_load(tenant, &run).await?;
        Ok(run)
    }

    /// Notes how far a run is.
    pub async fn note_load(
        &self,
        tenant: &TenantId,
        run: &LoadRun,
    ) -> Result<(), InteractionError> {
        let value = run.encode().into();
        self.change_named(
            tenant,
            NamedChange::Put {
                key: run.key(),
                value,
                expires: None,
            },
        )
        .await
    }

    /// Ends a run: its row goes.
    pub async fn finish_load(
        &self,
        tenant: &TenantId,
        run: &LoadRun,
    ) -> Result<(), InteractionError> {
        self.change_named(tenant, NamedChange::Delete { key: run.key() })
            .await
    }

    /// Commits a change of one named row.
    pub(crate) async fn change_named(
        &self,
        tenant: &TenantId,
        change: NamedChange,
    ) -> Result<(), InteractionError> {
        let commit = Commit {
            named: vec![change],
            ..Commit::default()
        };
        let done = self.store.commit(tenant, commit).await;
        done.map(|_| ())
            .map_err(|error| InteractionError::from(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_survives_its_text() {
        for done in [vec![], vec![0], vec![3, 1, 4]] {
            let run = LoadRun {
                fingerprint: "f".into(),
                id: "a".into(),
                done,
            };
            assert_eq!(LoadRun::decode("f", &run.encode()), Some(run));
        }
    }
}
