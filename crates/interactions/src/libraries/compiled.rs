//! Libraries ready for use. A compiled library is known by what it was made of (the digests of its
//! layers), so a change is used by the next conversion, nothing has to be told of it, and tenants
//! with the same library share it. What was not used for longest goes when room is needed.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use fhir::{Fault, Issue};
use store::TenantId;

use super::Library;
use crate::{InteractionError, Interactions};

/// How many libraries may lie over each other.
const LAYERS_MAX: usize = 8;

/// What a library is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layers {
    /// The library that comes with the program and lies below all others, by name.
    pub built_in: Option<String>,
    /// The archives of the tenant's own, the lowest first.
    pub archives: Vec<Bytes>,
}

/// A compiled library and what it takes in memory.
pub struct Compiled<C> {
    /// The library.
    pub library: C,
    /// Its size.
    pub bytes: usize,
}

/// Makes a library of its layers; `NotFound` if there is no such built-in one.
pub type Compile<C> = dyn Fn(&Layers) -> Result<Compiled<C>, Issue> + Send + Sync;

/// What a compiled library was made of: the name of the lowest layer and the digests of the others.
type Recipe = Vec<String>;

/// The compiled libraries of all tenants.
pub struct Libraries<C> {
    interactions: Interactions,
    compile: Arc<Compile<C>>,
    cache: Mutex<Cache<C>>,
}

struct Cache<C> {
    /// The one used last is last.
    entries: Vec<(Recipe, usize, Arc<C>)>,
    bytes_max: usize,
}

impl<C: Send + Sync + 'static> Libraries<C> {
    /// Libraries of these interactions' tenants, at most so many bytes of them kept compiled.
    pub fn new(interactions: Interactions, bytes_max: usize, compile: Arc<Compile<C>>) -> Self {
        let cache = Cache {
            entries: Vec::new(),
            bytes_max,
        };
        Self {
            interactions,
            compile,
            cache: Mutex::new(cache),
        }
    }

    /// The library of that name that the tenant uses now, compiled: its own, or else the built-in
    /// one.
    pub async fn active(&self, tenant: &TenantId, name: &str) -> Result<Arc<C>, InteractionError> {
        self.library(tenant, name, None).await
    }

    /// The same in the version of that number, whether or not it is in use.
    pub async fn library(
        &self,
        tenant: &TenantId,
        name: &str,
        number: Option<u32>,
    ) -> Result<Arc<C>, InteractionError> {
        let (recipe, places) = self.recipe(tenant, name, number).await?;
        if let Some(known) = self.known(&recipe) {
            return Ok(known);
        }
        let mut archives = Vec::new();
        for (name, number) in places.iter().rev() {
            let content = self.interactions.library_content(tenant, name, *number);
            archives.push(content.await?);
        }
        let built_in = recipe.last().and_then(|it| it.strip_prefix("name:"));
        let layers = Layers {
            built_in: built_in.map(str::to_owned),
            archives,
        };
        let compile = Arc::clone(&self.compile);
        let compiled = tokio::task::spawn_blocking(move || compile(&layers));
        let compiled = compiled
            .await
            .map_err(|_| InteractionError::internal("a library could not be compiled"))??;
        Ok(self.keep(recipe, compiled))
    }

    /// What the library is made of, the uppermost first, and where the tenant's own layers lie.
    async fn recipe(
        &self,
        tenant: &TenantId,
        name: &str,
        number: Option<u32>,
    ) -> Result<(Recipe, Vec<(String, u32)>), InteractionError> {
        let (mut recipe, mut places) = (Recipe::new(), Vec::<(String, u32)>::new());
        let mut next = Some((name.to_owned(), number));
        while let Some((name, number)) = next {
            // A library that lies over the built-in one of its own name is not below itself.
            let is_above = places.iter().any(|it| it.0 == name);
            let own = if is_above {
                None
            } else {
                self.interactions.library(tenant, &name).await?
            };
            let Some(own) = own else {
                recipe.push(format!("name:{name}"));
                break;
            };
            if places.len() >= LAYERS_MAX {
                let what = format!("more than {LAYERS_MAX} libraries lie over each other");
                return Err(Issue::error(Fault::BusinessRule, what).into());
            }
            let version = version(&own, number)?;
            recipe.push(version.sha256.clone());
            places.push((name, version.number));
            next = version.base.clone().map(|base| (base, None));
        }
        Ok((recipe, places))
    }

    fn known(&self, recipe: &Recipe) -> Option<Arc<C>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let at = cache.entries.iter().position(|it| it.0 == *recipe)?;
        let entry = cache.entries.remove(at);
        let library = Arc::clone(&entry.2);
        cache.entries.push(entry);
        Some(library)
    }

    fn keep(&self, recipe: Recipe, compiled: Compiled<C>) -> Arc<C> {
        let library = Arc::new(compiled.library);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.entries.retain(|it| it.0 != recipe);
        cache
            .entries
            .push((recipe, compiled.bytes, Arc::clone(&library)));
        while cache.entries.len() > 1 && cache.bytes() > cache.bytes_max {
            cache.entries.remove(0);
        }
        library
    }

    /// How many libraries are kept compiled, and their bytes.
    pub fn kept(&self) -> (usize, usize) {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        (cache.entries.len(), cache.bytes())
    }
}

impl<C> Cache<C> {
    fn bytes(&self) -> usize {
        self.entries.iter().map(|it| it.1).sum()
    }
}

fn version(library: &Library, number: Option<u32>) -> Result<&super::LibraryVersion, Issue> {
    match number {
        Some(number) => library
            .version(number)
            .ok_or_else(|| super::no_version(number)),
        None => library.in_use().ok_or_else(|| {
            let what = format!("no version of the library `{}` is in use", library.name);
            Issue::error(Fault::BusinessRule, what).mend("activate one")
        }),
    }
}
