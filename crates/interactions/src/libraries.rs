//! A tenant's libraries of templates: versions as they were uploaded, which of them is in use, and
//! the way back. What is in them is not known here: [`Libraries`] is given a compiler.
//!
//! A library is a named row that lists its versions, beside one row for the bytes of each. Every
//! change is one commit, decided on the state that the list has in it.

mod compiled;
mod list;

use bytes::Bytes;
pub use compiled::{Compile, Compiled, Layers, Libraries};
use fhir::{Fault, Issue};
pub use list::{Library, LibraryVersion};
use sha2::{Digest, Sha256};
use store::{
    At, Commit, NamedChange, NamedExpected, NamedKey, NamedRow, Precondition, PreconditionFailure,
    StoreError, TenantId,
};

use crate::{InteractionError, Interactions};

/// Libraries of one tenant.
pub const LIBRARIES_MAX: usize = 200;

/// Versions of one library.
pub const LIBRARY_VERSIONS_MAX: usize = 100;

/// Bytes of one version.
pub const LIBRARY_BYTES_MAX: usize = 15 << 20;

/// How often a change is decided anew because another came first.
const ATTEMPTS_MAX: usize = 10;

const LISTS: &str = "convert/library/";

/// A library that is uploaded.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// Its archive.
    pub content: Bytes,
    /// The library that it lies over.
    pub base: Option<String>,
    /// Whether it is used from now on.
    pub activation: Activation,
}

/// Whether a new version is used at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// It is used from its commit on.
    AtOnce,
    /// It is kept until it is activated.
    Later,
}

/// What a change of a library's list comes to.
struct Changed {
    list: Library,
    rows: Vec<NamedChange>,
}

impl Interactions {
    /// All libraries of a tenant, by name.
    pub async fn libraries(&self, tenant: &TenantId) -> Result<Vec<Library>, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let rows = view.named_with_prefix(LISTS, None, LIBRARIES_MAX).await?;
        rows.iter().map(|(key, row)| read(key, row)).collect()
    }

    /// The library of that name, if the tenant has it.
    pub async fn library(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<Option<Library>, InteractionError> {
        Ok(self.library_row(tenant, name).await?.map(|it| it.0))
    }

    async fn library_row(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<Option<(Library, u64)>, InteractionError> {
        let key = list_key(name)?;
        let view = self.store.view(tenant, At::Newest).await?;
        let row = view.named(std::slice::from_ref(&key)).await?;
        let row = row.into_iter().flatten().next();
        row.map(|row| Ok((read(&key, &row)?, row.revision)))
            .transpose()
    }

    /// The archive of a version.
    pub async fn library_content(
        &self,
        tenant: &TenantId,
        name: &str,
        number: u32,
    ) -> Result<Bytes, InteractionError> {
        let view = self.store.view(tenant, At::Newest).await?;
        let row = view.named(&[content_key(name, number)?]).await?;
        let row = row.into_iter().flatten().next();
        row.map(|row| row.value)
            .ok_or_else(|| no_version(number).into())
    }

    /// Keeps a version and gives its number; content that is the newest version's already is not
    /// kept again.
    pub async fn push_library(
        &self,
        tenant: &TenantId,
        name: &str,
        new: NewVersion,
    ) -> Result<(Library, u32), InteractionError> {
        let max = LIBRARY_BYTES_MAX;
        if new.content.len() > max {
            let what = format!("the library has more than `library_bytes_max` ({max}) bytes");
            return Err(Issue::error(Fault::TooLarge, what).into());
        }
        if let Some(base) = &new.base {
            check_name(base)?;
        }
        if self.library(tenant, name).await?.is_none()
            && self.libraries(tenant).await?.len() >= LIBRARIES_MAX
        {
            let what = format!("the tenant has `libraries_max` ({LIBRARIES_MAX}) libraries");
            return Err(Issue::error(Fault::TooLarge, what).into());
        }
        let version = LibraryVersion {
            number: 0,
            sha256: format!("{:x}", Sha256::digest(&new.content)),
            bytes: new.content.len() as u64,
            base: new.base.clone(),
            uploaded: self.clock.now(),
        };
        let library = self
            .change_library(tenant, name, |list| {
                let list = list.unwrap_or_else(|| Library::named(name));
                pushed(list, &version, &new)
            })
            .await?;
        let number = library.versions.last().map_or(0, |it| it.number);
        Ok((library, number))
    }

    /// Uses that version from now on.
    pub async fn activate_library(
        &self,
        tenant: &TenantId,
        name: &str,
        number: u32,
    ) -> Result<Library, InteractionError> {
        self.change_library(tenant, name, |list| {
            let mut list = list.ok_or_else(|| no_library(name))?;
            list.activate(number)?;
            Ok(Changed {
                list,
                rows: Vec::new(),
            })
        })
        .await
    }

    /// Uses the version that was in use before the present one.
    pub async fn roll_back_library(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<Library, InteractionError> {
        self.change_library(tenant, name, |list| {
            let mut list = list.ok_or_else(|| no_library(name))?;
            list.roll_back()?;
            Ok(Changed {
                list,
                rows: Vec::new(),
            })
        })
        .await
    }

    /// Removes a version that is not in use.
    pub async fn delete_library_version(
        &self,
        tenant: &TenantId,
        name: &str,
        number: u32,
    ) -> Result<Library, InteractionError> {
        self.change_library(tenant, name, |list| {
            let mut list = list.ok_or_else(|| no_library(name))?;
            list.remove(number)?;
            let key = content_key(name, number)?;
            Ok(Changed {
                list,
                rows: vec![NamedChange::Delete { key }],
            })
        })
        .await
    }

    /// Removes a library with all versions; not while another lies over it.
    pub async fn delete_library(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<(), InteractionError> {
        for other in self.libraries(tenant).await? {
            let lies_over = |it: &LibraryVersion| it.base.as_deref() == Some(name);
            if other.name != name && other.in_use().is_some_and(lies_over) {
                let what = format!("the library `{}` lies over this one", other.name);
                return Err(Issue::error(Fault::Conflict, what).into());
            }
        }
        let Some((list, revision)) = self.library_row(tenant, name).await? else {
            return Err(no_library(name).into());
        };
        let mut rows = vec![NamedChange::Delete {
            key: list_key(name)?,
        }];
        for version in &list.versions {
            let key = content_key(name, version.number)?;
            rows.push(NamedChange::Delete { key });
        }
        let expected = NamedExpected::Revision(revision);
        self.commit_library(tenant, name, expected, rows).await?;
        Ok(())
    }

    /// Decides on the list as it is, and again if another change came first.
    async fn change_library(
        &self,
        tenant: &TenantId,
        name: &str,
        decide: impl Fn(Option<Library>) -> Result<Changed, Issue> + Send + Sync,
    ) -> Result<Library, InteractionError> {
        for _ in 0..ATTEMPTS_MAX {
            let (list, expected) = match self.library_row(tenant, name).await? {
                Some((list, revision)) => (Some(list), NamedExpected::Revision(revision)),
                None => (None, NamedExpected::Absent),
            };
            let Changed { list, mut rows } = decide(list)?;
            rows.push(NamedChange::Put {
                key: list_key(name)?,
                value: list.encode().into(),
                expires: None,
            });
            match self.commit_library(tenant, name, expected, rows).await {
                Err(StoreError::Precondition {
                    failure: PreconditionFailure::Named,
                    ..
                }) => {}
                Ok(()) => return Ok(list),
                Err(error) => return Err(error.into()),
            }
        }
        let issue = Issue::error(Fault::Conflict, "others are changing the same library");
        Err(issue.mend("try again").into())
    }

    async fn commit_library(
        &self,
        tenant: &TenantId,
        name: &str,
        expected: NamedExpected,
        named: Vec<NamedChange>,
    ) -> Result<(), StoreError> {
        let key = NamedKey(format!("{LISTS}{name}").into());
        let commit = Commit {
            named,
            preconditions: vec![Precondition::Named { key, expected }],
            ..Commit::default()
        };
        self.store.commit(tenant, commit).await.map(|_| ())
    }
}

/// The list with a version more, and its content.
fn pushed(mut list: Library, version: &LibraryVersion, new: &NewVersion) -> Result<Changed, Issue> {
    let newest = list.versions.last();
    let known = newest.filter(|it| it.sha256 == version.sha256);
    let (number, mut rows) = (known.map(|it| it.number), Vec::new());
    let number = if let Some(number) = number {
        number
    } else {
        let number = list.add(version.clone())?;
        rows.push(NamedChange::Put {
            key: content_key(&list.name, number)?,
            value: new.content.clone(),
            expires: None,
        });
        number
    };
    if new.activation == Activation::AtOnce {
        list.activate(number)?;
    }
    Ok(Changed { list, rows })
}

fn read(key: &NamedKey, row: &NamedRow) -> Result<Library, InteractionError> {
    let name = key.0.strip_prefix(LISTS).unwrap_or_default();
    let text = std::str::from_utf8(&row.value).ok();
    text.and_then(|text| Library::decode(name, text))
        .ok_or_else(|| InteractionError::internal("a list of library versions cannot be read"))
}

fn list_key(name: &str) -> Result<NamedKey, Issue> {
    check_name(name)?;
    Ok(NamedKey(format!("{LISTS}{name}").into()))
}

fn content_key(name: &str, number: u32) -> Result<NamedKey, Issue> {
    check_name(name)?;
    Ok(NamedKey(format!("convert/content/{name}/{number}").into()))
}

/// Names are written as ids are.
fn check_name(name: &str) -> Result<(), Issue> {
    fhir::ResourceId::parse(name).map(|_| ()).map_err(|_| {
        Issue::error(Fault::Invalid, "the library's name is not accepted")
            .mend("letters, digits, `-` and `.`, up to 64 of them")
    })
}

fn no_library(name: &str) -> Issue {
    Issue::error(
        Fault::NotFound,
        format!("the tenant has no library `{name}`"),
    )
}

fn no_version(number: u32) -> Issue {
    let what = format!("the library has no version {number}");
    Issue::error(Fault::NotFound, what)
}
