//! Conversion as the interactions see it: something that turns messages into FHIR with a tenant's
//! libraries. What does it knows templates and formats; here it is a promise, so that the
//! operation and the upload of libraries need neither.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use fhir::{Fault, Issue};
use store::TenantId;

use crate::libraries::{Activation, Library, NewVersion};
use crate::{InteractionError, Interactions};

/// What is to be converted, and how.
#[derive(Clone, Default)]
pub struct Conversion {
    /// The message or document, as it came.
    pub input: Bytes,
    /// What it is (`Hl7v2`, `Ccda`, `Json`, `Fhir`); none for what the library is for.
    pub data_type: Option<String>,
    /// The library, by name, or by name and number of a version (`site:3`); none for the built-in
    /// one of the data type.
    pub library: Option<String>,
    /// The template to begin with; none for the one that the input names.
    pub root: Option<String>,
    /// The zone of times that name none, in minutes east of UTC.
    pub zone_offset_minutes: Option<i32>,
}

impl std::fmt::Debug for Conversion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Conversion({} bytes)", self.input.len())
    }
}

/// What came of a conversion.
#[derive(Clone)]
pub struct Converted {
    /// A resource in JSON, or an HL7 v2 message.
    pub text: String,
    /// Whether it is FHIR.
    pub is_fhir: bool,
    /// The parts of the message with content that nothing was made of (`PID-3.2`), each once.
    pub unread: Vec<String>,
}

impl std::fmt::Debug for Converted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Converted({} bytes)", self.text.len())
    }
}

/// Converts with the libraries of tenants.
#[async_trait]
pub trait Converter: Send + Sync {
    /// Converts an input; what is wrong with it, with the library or with the request is told.
    async fn convert(
        &self,
        tenant: &TenantId,
        conversion: Conversion,
    ) -> Result<Converted, InteractionError>;

    /// Reads the archive of a library and gives the library that it lies over.
    async fn inspect(&self, archive: Bytes) -> Result<Option<String>, InteractionError>;

    /// Whether a version could be used: an error lists everything wrong with it.
    async fn check(
        &self,
        tenant: &TenantId,
        name: &str,
        number: u32,
    ) -> Result<(), InteractionError>;
}

impl Interactions {
    /// The same interactions, with something that converts.
    #[must_use]
    pub fn with_converter(mut self, converter: Arc<dyn Converter>) -> Self {
        self.converter = Some(converter);
        self
    }

    /// What converts.
    pub fn converter(&self) -> Result<&dyn Converter, InteractionError> {
        self.converter.as_deref().ok_or_else(|| {
            Issue::error(Fault::NotSupported, "conversion is not offered here").into()
        })
    }

    /// Keeps a library that is uploaded as an archive, as its next version; used at once, it must
    /// be without faults.
    pub async fn upload_library(
        &self,
        tenant: &TenantId,
        name: &str,
        archive: Bytes,
        activation: Activation,
    ) -> Result<Library, InteractionError> {
        let base = self.converter()?.inspect(archive.clone()).await?;
        let new = NewVersion {
            content: archive,
            base,
            activation: Activation::Later,
        };
        let (library, number) = self.push_library(tenant, name, new).await?;
        if activation == Activation::Later {
            return Ok(library);
        }
        self.use_library(tenant, name, number).await
    }

    /// Uses that version from now on, if it is without faults.
    pub async fn use_library(
        &self,
        tenant: &TenantId,
        name: &str,
        number: u32,
    ) -> Result<Library, InteractionError> {
        self.converter()?.check(tenant, name, number).await?;
        self.activate_library(tenant, name, number).await
    }
}
