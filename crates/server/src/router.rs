//! The table of URLs and methods, and the way from a request's path to an endpoint.
//!
//! Routing is FHIR's: `[base]/[type]/[id]/_history/[vid]`, below `/fhir/{version}` or, for a named
//! tenant, `/t/{tenant}/fhir/{version}`. The CapabilityStatement and the labels of metrics and logs
//! come from this table. Nothing is interpreted beyond the path: criteria and headers are the
//! handlers'. <https://hl7.org/fhir/R4/http.html#3.1.0.1.2>

use std::borrow::Cow;

use fhir::{Definitions, Fault, FhirVersion, Issue, ResourceId};
use http::Method;
use interactions::ResourceKey;
use interactions::operations::{self, CalledOn, Effect, Operation};
use store::TenantId;

use crate::query::percent_decode;
use crate::rejection::Rejection;

/// What a URL and a method ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Endpoint {
    Capabilities,
    BatchOrTransaction,
    SearchSystem,
    SearchType,
    SearchCompartment,
    HistorySystem,
    HistoryType,
    HistoryInstance,
    PurgeHistory,
    Create,
    ConditionalUpdate,
    ConditionalDelete,
    Read,
    Vread,
    Update,
    Delete,
    Operate,
    Options,
    Index,
    Live,
    Ready,
    Metrics,
    ListTenants,
    CreateTenant,
    DeleteTenant,
    Backup,
    ListLibraries,
    ReadLibrary,
    UploadLibrary,
    DeleteLibrary,
    ReadLibraryVersion,
    DeleteLibraryVersion,
    ActivateLibraryVersion,
    RollBackLibrary,
    BeginLoad,
    NoteLoad,
    FinishLoad,
    ListJobs,
    ReadJob,
    ResumeJob,
    CancelJob,
    ListChannels,
    ReadChannel,
    PutChannel,
    DeleteChannel,
    ReadCoverage,
    FindMessages,
    ReadMessage,
    ReadRawMessage,
    CorrectMessage,
    ReplayMessage,
    DismissMessage,
    ListDestinations,
    ReadDestination,
    PutDestination,
    DeleteDestination,
    SendMessage,
}

/// One segment of a URL's template.
#[derive(Debug, Clone, Copy)]
enum Segment {
    Literal(&'static str),
    Type,
    Id,
    VersionId,
    /// The type looked for in a compartment, or `*`.
    Sought,
    /// `$` and the name of an operation.
    Code,
    Tenant,
    Name,
    /// A destination's name.
    Receiver,
    Number,
}

/// One URL with its methods.
pub(crate) struct Route {
    /// The URL's template; the label of metrics and logs.
    pub(crate) template: &'static str,
    segments: &'static [Segment],
    methods: &'static [(Method, Endpoint)],
}

use Segment::{Code, Id, Literal, Name, Number, Receiver, Sought, Tenant, Type, VersionId};

/// An operation that changes nothing is also called by GET.
const OPERATE: &[(Method, Endpoint)] = &[
    (Method::GET, Endpoint::Operate),
    (Method::POST, Endpoint::Operate),
];

const SEARCH: Segment = Literal("_search");
const HISTORY: Segment = Literal("_history");
const CHANNELS: Segment = Literal("channels");
const DESTINATIONS: Segment = Literal("destinations");
const MESSAGES: Segment = Literal("messages");
const ADMIN: Segment = Literal("admin");
const CONVERT: Segment = Literal("convert");
const LIBRARIES: Segment = Literal("libraries");

/// Below `/fhir/{version}`. Literals stand before what would match them too.
#[rustfmt::skip]
static FHIR_ROUTES: &[Route] = &[
    Route { template: "/fhir/{version}", segments: &[], methods: &[
        (Method::GET, Endpoint::SearchSystem),
        (Method::POST, Endpoint::BatchOrTransaction),
        (Method::OPTIONS, Endpoint::Capabilities),
    ] },
    Route { template: "/fhir/{version}/metadata", segments: &[Literal("metadata")], methods: &[
        (Method::GET, Endpoint::Capabilities),
    ] },
    Route { template: "/fhir/{version}/_search", segments: &[SEARCH], methods: &[
        (Method::POST, Endpoint::SearchSystem),
    ] },
    Route { template: "/fhir/{version}/_history", segments: &[HISTORY], methods: &[
        (Method::GET, Endpoint::HistorySystem),
    ] },
    Route { template: "/fhir/{version}/${operation}", segments: &[Code], methods: OPERATE },
    Route { template: "/fhir/{version}/{type}/${operation}", segments: &[Type, Code], methods: OPERATE },
    Route { template: "/fhir/{version}/{type}/{id}/${operation}", segments: &[Type, Id, Code], methods: OPERATE },
    Route { template: "/fhir/{version}/{type}", segments: &[Type], methods: &[
        (Method::GET, Endpoint::SearchType),
        (Method::POST, Endpoint::Create),
        (Method::PUT, Endpoint::ConditionalUpdate),
        (Method::DELETE, Endpoint::ConditionalDelete),
    ] },
    Route { template: "/fhir/{version}/{type}/_search", segments: &[Type, SEARCH], methods: &[
        (Method::POST, Endpoint::SearchType),
    ] },
    Route { template: "/fhir/{version}/{type}/_history", segments: &[Type, HISTORY], methods: &[
        (Method::GET, Endpoint::HistoryType),
    ] },
    Route { template: "/fhir/{version}/{type}/{id}", segments: &[Type, Id], methods: &[
        (Method::GET, Endpoint::Read),
        (Method::PUT, Endpoint::Update),
        (Method::DELETE, Endpoint::Delete),
    ] },
    Route { template: "/fhir/{version}/{type}/{id}/_history", segments: &[Type, Id, HISTORY], methods: &[
        (Method::GET, Endpoint::HistoryInstance),
        (Method::DELETE, Endpoint::PurgeHistory),
    ] },
    Route { template: "/fhir/{version}/{type}/{id}/_search", segments: &[Type, Id, SEARCH], methods: &[
        (Method::POST, Endpoint::SearchCompartment),
    ] },
    Route { template: "/fhir/{version}/{type}/{id}/{type}", segments: &[Type, Id, Sought], methods: &[
        (Method::GET, Endpoint::SearchCompartment),
    ] },
    Route { template: "/fhir/{version}/{type}/{id}/_history/{vid}", segments: &[Type, Id, HISTORY, VersionId], methods: &[
        (Method::GET, Endpoint::Vread),
    ] },
    Route { template: "/fhir/{version}/{type}/{id}/{type}/_search", segments: &[Type, Id, Sought, SEARCH], methods: &[
        (Method::POST, Endpoint::SearchCompartment),
    ] },
];

#[rustfmt::skip]
static OTHER_ROUTES: &[Route] = &[
    Route { template: "/", segments: &[], methods: &[(Method::GET, Endpoint::Index)] },
    Route { template: "/health/live", segments: &[Literal("health"), Literal("live")], methods: &[
        (Method::GET, Endpoint::Live),
    ] },
    Route { template: "/health/ready", segments: &[Literal("health"), Literal("ready")], methods: &[
        (Method::GET, Endpoint::Ready),
    ] },
    Route { template: "/metrics", segments: &[Literal("metrics")], methods: &[
        (Method::GET, Endpoint::Metrics),
    ] },
    Route { template: "/admin/tenants", segments: &[Literal("admin"), Literal("tenants")], methods: &[
        (Method::GET, Endpoint::ListTenants),
    ] },
    Route { template: "/admin/tenants/{tenant}", segments: &[Literal("admin"), Literal("tenants"), Tenant], methods: &[
        (Method::POST, Endpoint::CreateTenant),
        (Method::DELETE, Endpoint::DeleteTenant),
    ] },
    Route { template: "/admin/backup", segments: &[Literal("admin"), Literal("backup")], methods: &[
        (Method::GET, Endpoint::Backup),
    ] },
    Route { template: "/admin/jobs", segments: &[Literal("admin"), Literal("jobs")], methods: &[
        (Method::GET, Endpoint::ListJobs),
    ] },
    Route { template: "/admin/jobs/{job}", segments: &[Literal("admin"), Literal("jobs"), Name], methods: &[
        (Method::GET, Endpoint::ReadJob),
        (Method::POST, Endpoint::ResumeJob),
        (Method::DELETE, Endpoint::CancelJob),
    ] },
    Route { template: "/admin/convert/libraries", segments: &[ADMIN, CONVERT, LIBRARIES], methods: &[
        (Method::GET, Endpoint::ListLibraries),
    ] },
    Route { template: "/admin/convert/libraries/{library}", segments: &[ADMIN, CONVERT, LIBRARIES, Name], methods: &[
        (Method::GET, Endpoint::ReadLibrary),
        (Method::POST, Endpoint::UploadLibrary),
        (Method::DELETE, Endpoint::DeleteLibrary),
    ] },
    Route { template: "/admin/convert/libraries/{library}/rollback", segments: &[ADMIN, CONVERT, LIBRARIES, Name, Literal("rollback")], methods: &[
        (Method::POST, Endpoint::RollBackLibrary),
    ] },
    Route { template: "/admin/convert/libraries/{library}/versions/{number}", segments: &[ADMIN, CONVERT, LIBRARIES, Name, Literal("versions"), Number], methods: &[
        (Method::GET, Endpoint::ReadLibraryVersion),
        (Method::DELETE, Endpoint::DeleteLibraryVersion),
    ] },
    Route { template: "/admin/convert/libraries/{library}/versions/{number}/activate", segments: &[ADMIN, CONVERT, LIBRARIES, Name, Literal("versions"), Number, Literal("activate")], methods: &[
        (Method::POST, Endpoint::ActivateLibraryVersion),
    ] },
    Route { template: "/admin/loads/{load}", segments: &[Literal("admin"), Literal("loads"), Name], methods: &[
        (Method::POST, Endpoint::BeginLoad),
        (Method::PUT, Endpoint::NoteLoad),
        (Method::DELETE, Endpoint::FinishLoad),
    ] },
    Route { template: "/admin/hl7v2/channels", segments: &[Literal("admin"), Literal("hl7v2"), CHANNELS], methods: &[
        (Method::GET, Endpoint::ListChannels),
    ] },
    Route { template: "/admin/hl7v2/channels/{channel}", segments: &[Literal("admin"), Literal("hl7v2"), CHANNELS, Name], methods: &[
        (Method::GET, Endpoint::ReadChannel),
        (Method::PUT, Endpoint::PutChannel),
        (Method::DELETE, Endpoint::DeleteChannel),
    ] },
    Route { template: "/admin/hl7v2/channels/{channel}/coverage", segments: &[Literal("admin"), Literal("hl7v2"), CHANNELS, Name, Literal("coverage")], methods: &[
        (Method::GET, Endpoint::ReadCoverage),
    ] },
    Route { template: "/admin/hl7v2/channels/{channel}/messages", segments: &[Literal("admin"), Literal("hl7v2"), CHANNELS, Name, MESSAGES], methods: &[
        (Method::GET, Endpoint::FindMessages),
    ] },
    Route { template: "/admin/hl7v2/channels/{channel}/messages/{number}", segments: &[Literal("admin"), Literal("hl7v2"), CHANNELS, Name, MESSAGES, Number], methods: &[
        (Method::GET, Endpoint::ReadMessage),
    ] },
    Route { template: "/admin/hl7v2/channels/{channel}/messages/{number}/raw", segments: &[Literal("admin"), Literal("hl7v2"), CHANNELS, Name, MESSAGES, Number, Literal("raw")], methods: &[
        (Method::GET, Endpoint::ReadRawMessage),
        (Method::PUT, Endpoint::CorrectMessage),
    ] },
    Route { template: "/admin/hl7v2/channels/{channel}/messages/{number}/replay", segments: &[Literal("admin"), Literal("hl7v2"), CHANNELS, Name, MESSAGES, Number, Literal("replay")], methods: &[
        (Method::POST, Endpoint::ReplayMessage),
    ] },
    Route { template: "/admin/hl7v2/channels/{channel}/messages/{number}/dismiss", segments: &[Literal("admin"), Literal("hl7v2"), CHANNELS, Name, MESSAGES, Number, Literal("dismiss")], methods: &[
        (Method::POST, Endpoint::DismissMessage),
    ] },
    Route { template: "/admin/hl7v2/destinations", segments: &[Literal("admin"), Literal("hl7v2"), DESTINATIONS], methods: &[
        (Method::GET, Endpoint::ListDestinations),
    ] },
    Route { template: "/admin/hl7v2/destinations/{destination}", segments: &[Literal("admin"), Literal("hl7v2"), DESTINATIONS, Receiver], methods: &[
        (Method::GET, Endpoint::ReadDestination),
        (Method::PUT, Endpoint::PutDestination),
        (Method::DELETE, Endpoint::DeleteDestination),
    ] },
    Route { template: "/admin/hl7v2/destinations/{destination}/messages", segments: &[Literal("admin"), Literal("hl7v2"), DESTINATIONS, Receiver, MESSAGES], methods: &[
        (Method::GET, Endpoint::FindMessages),
        (Method::POST, Endpoint::SendMessage),
    ] },
    Route { template: "/admin/hl7v2/destinations/{destination}/messages/{number}", segments: &[Literal("admin"), Literal("hl7v2"), DESTINATIONS, Receiver, MESSAGES, Number], methods: &[
        (Method::GET, Endpoint::ReadMessage),
    ] },
    Route { template: "/admin/hl7v2/destinations/{destination}/messages/{number}/raw", segments: &[Literal("admin"), Literal("hl7v2"), DESTINATIONS, Receiver, MESSAGES, Number, Literal("raw")], methods: &[
        (Method::GET, Endpoint::ReadRawMessage),
        (Method::PUT, Endpoint::CorrectMessage),
    ] },
    Route { template: "/admin/hl7v2/destinations/{destination}/messages/{number}/replay", segments: &[Literal("admin"), Literal("hl7v2"), DESTINATIONS, Receiver, MESSAGES, Number, Literal("replay")], methods: &[
        (Method::POST, Endpoint::ReplayMessage),
    ] },
    Route { template: "/admin/hl7v2/destinations/{destination}/messages/{number}/dismiss", segments: &[Literal("admin"), Literal("hl7v2"), DESTINATIONS, Receiver, MESSAGES, Number, Literal("dismiss")], methods: &[
        (Method::POST, Endpoint::DismissMessage),
    ] },
];

/// What no route leads to.
static NOWHERE: Route = Route {
    template: "unknown",
    segments: &[],
    methods: &[],
};

/// Every route, that of unknown URLs last; its place here is its place in the metrics.
pub(crate) fn routes() -> impl Iterator<Item = &'static Route> {
    FHIR_ROUTES
        .iter()
        .chain(OTHER_ROUTES)
        .chain(std::iter::once(&NOWHERE))
}

impl Route {
    /// Its place among [`routes`].
    pub(crate) fn place(&self) -> usize {
        let found = routes().position(|route| std::ptr::eq(route, self));
        found.expect("every route is one of the table")
    }

    /// The value of `Allow`, also for the operation that the URL names.
    fn allow(&self, operation: Option<&Operation>) -> String {
        let has = |method: &Method| method != Method::GET || may_be_got(operation);
        let methods = self.methods.iter().map(|(it, _)| it);
        let mut methods: Vec<&str> = methods.filter(|it| has(it)).map(Method::as_str).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        if !methods.contains(&"OPTIONS") {
            methods.push("OPTIONS");
        }
        methods.join(", ")
    }

    fn endpoint(&self, method: &Method, operation: Option<&Operation>) -> Option<Endpoint> {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        if method == Method::GET && !may_be_got(operation) {
            return None;
        }
        let listed = self.methods.iter().find(|(it, _)| it == method);
        let listed = listed.map(|(_, endpoint)| *endpoint);
        listed.or_else(|| (method == Method::OPTIONS).then_some(Endpoint::Options))
    }
}

/// What changes something is not done by GET (<https://hl7.org/fhir/R4/operations.html#request>).
fn may_be_got(operation: Option<&Operation>) -> bool {
    operation.is_none_or(|it| it.effect == Effect::Reads)
}

/// Whether the FHIR routes offer this endpoint at all.
pub(crate) fn offers(endpoint: Endpoint) -> bool {
    let mut methods = FHIR_ROUTES.iter().flat_map(|route| route.methods);
    methods.any(|(_, it)| *it == endpoint)
}

/// The FHIR base that a path lies below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) tenant: TenantId,
    /// Whether the URL names the tenant.
    pub(crate) named: bool,
    pub(crate) version: FhirVersion,
}

impl Base {
    /// The base's path, without a trailing slash.
    pub(crate) fn path(&self) -> String {
        let slug = self.version.slug();
        if self.named {
            format!("/t/{}/fhir/{slug}", self.tenant)
        } else {
            format!("/fhir/{slug}")
        }
    }
}

/// What the path's segments name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    pub(crate) resource_type: Option<&'static str>,
    pub(crate) id: Option<ResourceId>,
    pub(crate) version_id: Option<String>,
    /// In a compartment: the type looked for; `None` for all.
    pub(crate) sought: Option<&'static str>,
    pub(crate) operation: Option<&'static Operation>,
    pub(crate) tenant: Option<TenantId>,
    /// A name of letters, digits, `-` and `.`.
    pub(crate) name: Option<String>,
    pub(crate) receiver: Option<String>,
    pub(crate) number: Option<u64>,
}

impl Place {
    pub(crate) fn resource_type(&self) -> &'static str {
        self.resource_type.expect("the route has a type")
    }

    /// What an operation is called on.
    pub(crate) fn called_on(&self) -> CalledOn {
        match (self.resource_type, &self.id) {
            (None, _) => CalledOn::System,
            (Some(name), None) => CalledOn::Type(name),
            (Some(_), Some(_)) => CalledOn::Instance(self.clone().key()),
        }
    }

    pub(crate) fn key(self) -> ResourceKey {
        ResourceKey {
            resource_type: self.resource_type().into(),
            id: self.id.expect("the route has an id"),
        }
    }
}

/// Where a request goes.
pub(crate) struct Routed {
    pub(crate) route: &'static Route,
    /// Known even if the rest is wrong, so that the error is told in the right version.
    pub(crate) base: Option<Base>,
    pub(crate) target: Result<(Endpoint, Place), Rejection>,
}

/// Finds the endpoint of a method and a path.
pub(crate) fn route(method: &Method, path: &str) -> Routed {
    let nowhere = |target: Rejection| Routed {
        route: &NOWHERE,
        base: None,
        target: Err(target),
    };
    if path == "*" && method == Method::OPTIONS {
        return Routed {
            route: &OTHER_ROUTES[0],
            base: None,
            target: Ok((Endpoint::Options, Place::default())),
        };
    }
    let segments = match split(path) {
        Ok(segments) => segments,
        Err(issue) => return nowhere(issue.into()),
    };
    match base_of(&segments) {
        Ok(Some((base, rest))) => below(FHIR_ROUTES, Some(base), method, rest),
        Ok(None) => below(OTHER_ROUTES, None, method, &segments),
        Err(issue) => nowhere(issue.into()),
    }
}

/// The path's segments, decoded; one slash at the end is overlooked.
fn split(path: &str) -> Result<Vec<Cow<'_, str>>, Issue> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let mut segments = Vec::with_capacity(8);
    for segment in path.split('/') {
        let segment = percent_decode(segment)?;
        if matches!(&*segment, "." | "..") {
            return Err(Issue::error(Fault::Invalid, "the URL holds a dot segment"));
        }
        segments.push(segment);
    }
    Ok(segments)
}

type Rest<'s, 'p> = &'s [Cow<'p, str>];

/// The FHIR base at the beginning of the path, if it begins with one, and what follows.
fn base_of<'s, 'p>(segments: Rest<'s, 'p>) -> Result<Option<(Base, Rest<'s, 'p>)>, Issue> {
    let (tenant, rest) = match segments {
        [t, name, rest @ ..] if t == "t" => (Some(&**name), rest),
        _ => (None, segments),
    };
    let [fhir, slug, rest @ ..] = rest else {
        return tenant.map_or(Ok(None), |_| Err(unknown_path()));
    };
    if fhir != "fhir" {
        return tenant.map_or(Ok(None), |_| Err(unknown_path()));
    }
    let version = FhirVersion::from_slug(slug).ok_or_else(|| {
        let slugs = FhirVersion::ALL.map(|version| format!("`/fhir/{}`", version.slug()));
        unknown_path().mend(format!("the FHIR bases are {}", slugs.join(" and ")))
    })?;
    let named = tenant.is_some();
    let tenant = tenant.map_or_else(|| Ok(TenantId::default()), TenantId::parse);
    let tenant = tenant.map_err(|fault| unknown_path().mend(fault.to_string()))?;
    Ok(Some((
        Base {
            tenant,
            named,
            version,
        },
        rest,
    )))
}

fn below(
    routes: &'static [Route],
    base: Option<Base>,
    method: &Method,
    segments: Rest<'_, '_>,
) -> Routed {
    let Some(route) = routes.iter().find(|route| fits(route.segments, segments)) else {
        let target = Err(no_such_place(segments).into());
        return Routed {
            route: &NOWHERE,
            base,
            target,
        };
    };
    let version = base.as_ref().map(|base| base.version);
    let target = read_place(route.segments, segments, version)
        .map_err(Rejection::from)
        .and_then(|place| Ok((method_of(route, method, place.operation)?, place)));
    Routed {
        route,
        base,
        target,
    }
}

fn fits(template: &[Segment], segments: Rest<'_, '_>) -> bool {
    let fits_one = |(expected, given): (&Segment, &Cow<'_, str>)| match expected {
        Literal(text) => given == text,
        Code => given.len() > 1 && given.starts_with('$'),
        _ => !given.is_empty() && !given.starts_with(['_', '$']),
    };
    template.len() == segments.len() && template.iter().zip(segments).all(fits_one)
}

fn read_place(
    template: &[Segment],
    segments: Rest<'_, '_>,
    version: Option<FhirVersion>,
) -> Result<Place, Issue> {
    let mut place = Place::default();
    for (expected, given) in template.iter().zip(segments) {
        match expected {
            Literal(_) => {}
            Type => place.resource_type = Some(known_type(given, version)?),
            Sought if given == "*" => {}
            Sought => place.sought = Some(known_type(given, version)?),
            Id => place.id = Some(ResourceId::parse(given).map_err(|fault| invalid_id(&fault))?),
            // What it stands on was read before it.
            Code => {
                let version = version.expect("an operation stands below a FHIR base");
                let code = given.trim_start_matches('$');
                let found = operations::find(version, &place.called_on(), code)?;
                place.operation = Some(found);
            }
            VersionId => place.version_id = Some(given.to_string()),
            Name => {
                let name = ResourceId::parse(given).map_err(|fault| invalid_id(&fault))?;
                place.name = Some(name.as_str().to_owned());
            }
            Receiver => place.receiver = Some(given.to_string()),
            Number => {
                let number = given.parse();
                place.number =
                    Some(number.map_err(|fault: std::num::ParseIntError| invalid_id(&fault))?);
            }
            Tenant => place.tenant = Some(TenantId::parse(given).map_err(|it| invalid_id(&it))?),
        }
    }
    Ok(place)
}

fn known_type(name: &str, version: Option<FhirVersion>) -> Result<&'static str, Issue> {
    let version = version.expect("a type stands below a FHIR base");
    let definitions = Definitions::of(version);
    if let Some(definition) = definitions.resource(name) {
        return Ok(definition.name);
    }
    if !name.starts_with(|first: char| first.is_ascii_uppercase()) {
        let names = definitions.resources().map(|it| it.name);
        return Err(suggest(unknown_path(), name, names));
    }
    let elsewhere = FhirVersion::ALL
        .into_iter()
        .find(|it| Definitions::of(*it).resource(name).is_some());
    Err(match elsewhere {
        Some(other) => Issue::error(
            Fault::UnknownType,
            format!("`{name}` is a resource type of {other}, not of {version}"),
        ),
        None => suggest(
            Issue::error(
                Fault::UnknownType,
                format!("{version} has no such resource type"),
            ),
            name,
            definitions.resources().map(|it| it.name),
        ),
    })
}

/// The issue with the nearest valid name as its remedy.
pub(crate) fn suggest<'n>(
    issue: Issue,
    name: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Issue {
    match fhir::suggest::nearest(name, names) {
        Some(nearest) => issue.mend(format!("did you mean `{nearest}`?")),
        None => issue,
    }
}

fn method_of(
    route: &Route,
    method: &Method,
    operation: Option<&Operation>,
) -> Result<Endpoint, Rejection> {
    route.endpoint(method, operation).ok_or_else(|| {
        let allow = route.allow(operation);
        let issue = Issue::error(Fault::MethodNotAllowed, "this URL does not have the method");
        Rejection {
            allow: Some(allow.clone()),
            ..issue.mend(format!("its methods are {allow}")).into()
        }
    })
}

/// The value of `Allow` for a route and what its URL names.
pub(crate) fn allow(route: &Route, place: &Place) -> String {
    route.allow(place.operation)
}

fn no_such_place(segments: Rest<'_, '_>) -> Issue {
    let operation = segments.last().filter(|last| last.starts_with('$'));
    if operation.is_some() {
        return Issue::error(Fault::NotSupported, "the operation is not offered here");
    }
    unknown_path()
}

fn unknown_path() -> Issue {
    Issue::error(Fault::UnknownPath, "the URL leads nowhere")
}

fn invalid_id(fault: &dyn std::error::Error) -> Issue {
    Issue::error(Fault::Invalid, "the URL holds an invalid id").mend(fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path: &str) -> String {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let routed = route(&method, path);
        match routed.target {
            Ok((endpoint, _)) => format!("{endpoint:?}"),
            Err(rejection) => rejection.status(FhirVersion::R4).as_str().to_owned(),
        }
    }

    #[test]
    fn urls_lead_to_endpoints() {
        for (method, path, expected) in [
            ("GET", "/", "Index"),
            ("OPTIONS", "*", "Options"),
            ("GET", "/health/live", "Live"),
            ("GET", "/fhir/r4", "SearchSystem"),
            ("GET", "/fhir/r4/", "SearchSystem"),
            ("POST", "/fhir/stu3", "BatchOrTransaction"),
            ("OPTIONS", "/fhir/stu3", "Capabilities"),
            ("GET", "/t/acme/fhir/r4/metadata", "Capabilities"),
            ("GET", "/fhir/r4/Patient/1", "Read"),
            ("HEAD", "/fhir/r4/Patient/1", "Read"),
            ("GET", "/fhir/r4/%50atient/1", "Read"),
            ("OPTIONS", "/fhir/r4/Patient/1", "Options"),
            ("PATCH", "/fhir/r4/Patient/1", "405"),
            ("TRACE", "/fhir/r4/Patient/1", "405"),
            ("DELETE", "/fhir/r4/Patient/1/_history", "PurgeHistory"),
            ("GET", "/fhir/r4/Patient/1/_history/2", "Vread"),
            ("GET", "/fhir/r4/Patient/1/Observation", "SearchCompartment"),
            ("GET", "/fhir/r4/Patient/1/*", "SearchCompartment"),
            (
                "POST",
                "/fhir/r4/Patient/1/Observation/_search",
                "SearchCompartment",
            ),
            ("POST", "/fhir/r4/Patient/_search", "SearchType"),
            ("POST", "/fhir/r4/_search", "SearchSystem"),
            ("GET", "/fhir/r4/Patient/_search", "405"),
            ("GET", "/fhir/r4/Patient/1/$everything", "400"),
            ("GET", "/fhir/r4/Patient/1/$fhirpath", "Operate"),
            ("HEAD", "/fhir/r4/$fhirpath", "Operate"),
            ("POST", "/fhir/stu3/Patient/$fhirpath", "Operate"),
            ("PUT", "/fhir/r4/$fhirpath", "405"),
            ("GET", "/fhir/r4/$fhirpaht", "404"),
            ("GET", "/fhir/r4/$", "400"),
            ("GET", "/fhir/r4/Patient/1/_history/1/$fhirpath", "400"),
            ("GET", "/fhir/r4/Patient/$fhirpath/1", "404"),
            ("GET", "/fhir/r4/patient/1", "404"),
            ("GET", "/fhir/r4/Patent/1", "404"),
            ("GET", "/fhir/r5/Patient/1", "404"),
            ("GET", "/fhir/r4//Patient", "404"),
            ("GET", "/fhir/r4/Patient/a_b", "400"),
            ("GET", "/fhir/r4/Patient/%00", "400"),
            ("GET", "/fhir/r4/Patient/%ff", "400"),
            ("GET", "/fhir/r4/Patient/%2e%2e", "400"),
            ("GET", "/fhir/r4/Patient/%", "400"),
            ("GET", "/t/NoTenant/fhir/r4/Patient", "404"),
            ("GET", "/t/acme", "404"),
            ("GET", "/a/b/c/d/e/f/g/h/i/j", "404"),
        ] {
            assert_eq!(check(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_type_of_another_version_is_told_so() {
        let routed = route(&Method::GET, "/fhir/r4/DataElement");
        let rejection = routed.target.expect_err("an STU3 type");
        assert_eq!(
            rejection.issues[0].what,
            "`DataElement` is a resource type of STU3, not of R4"
        );
        assert_eq!(routed.base.map(|base| base.version), Some(FhirVersion::R4));
    }

    #[test]
    fn slips_get_a_suggestion() {
        let rejection = route(&Method::GET, "/fhir/r4/Patent")
            .target
            .expect_err("a slip");
        assert_eq!(
            rejection.issues[0].remedy.as_deref(),
            Some("did you mean `Patient`?")
        );
    }
}
