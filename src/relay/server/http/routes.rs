//! Request routing: from method and path to the function that answers.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::DATE;
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};

use crate::relay::protocol::{self, Info, Limits, Versions};
use crate::relay::server::app::App;
use crate::relay::server::http::answer::{Answer, Refusal, json};
use crate::relay::server::http::request::Outcome;
use crate::relay::server::{events, owner, sender};

/// An answer in the making. Boxed, so that a connection that waits is as small as what it waits
/// in.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

/// Answers one request. `peer` is where it comes from, for [`owner::register`] alone.
pub(crate) fn answer(
    app: &Arc<App>,
    request: Request<Incoming>,
    peer: Option<IpAddr>,
) -> Answering {
    let app = app.clone();
    let (parts, body) = request.into_parts();
    match (&parts.method, Route::of(parts.uri.path())) {
        // Apart, because many wait here: neither head nor body is held meanwhile.
        (&Method::GET, Route::Mailbox(name)) => {
            let asked = owner::list_request(&app, &parts, name);
            drop((parts, body));
            Box::pin(async move { Ok(app.finish(owner::list(&app, asked).await)) })
        }
        (&Method::GET, Route::Events(name)) => {
            let asked = owner::prove(&app, &parts, name, false);
            drop((parts, body));
            Box::pin(async move { Ok(app.finish(events::begin(&app, asked).await)) })
        }
        _ => Box::pin(async move { Ok(app.finish(handle(&app, peer, parts, body).await)) }),
    }
}

/// A path of the protocol; names in it are not looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route<'a> {
    Info,
    Mailbox(&'a str),
    Ack(&'a str),
    Take(&'a str),
    Push(&'a str),
    Events(&'a str),
    Status(&'a str),
    Capabilities(&'a str),
    Capability(&'a str, &'a str),
    Message(&'a str, &'a str),
    Nothing,
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Self {
        let Some(rest) = path.strip_prefix("/v1/m/") else {
            return if path == "/v1/info" { Self::Info } else { Self::Nothing };
        };
        let Some((mailbox, rest)) = rest.split_once('/') else { return Self::Mailbox(rest) };
        match rest {
            "ack" => Self::Ack(mailbox),
            "take" => Self::Take(mailbox),
            "push" => Self::Push(mailbox),
            "events" => Self::Events(mailbox),
            "status" => Self::Status(mailbox),
            "capabilities" => Self::Capabilities(mailbox),
            _ => match rest.split_once('/') {
                None => Self::Message(mailbox, rest),
                Some(("capabilities", id)) if !id.contains('/') => Self::Capability(mailbox, id),
                Some(_) => Self::Nothing,
            },
        }
    }

    /// The methods the path takes.
    fn methods(self) -> &'static str {
        match self {
            Self::Info | Self::Events(_) | Self::Status(_) | Self::Capabilities(_) => "GET",
            Self::Mailbox(_) => "GET, PUT, DELETE",
            Self::Ack(_) | Self::Take(_) | Self::Push(_) => "POST",
            Self::Capability(..) => "PUT, DELETE",
            Self::Message(..) => "GET, HEAD, PUT, PATCH",
            Self::Nothing => "",
        }
    }
}

async fn handle(app: &Arc<App>, peer: Option<IpAddr>, parts: Parts, body: Incoming) -> Outcome {
    let route = Route::of(parts.uri.path());
    match (&parts.method, route) {
        (&Method::PUT, Route::Message(name, id)) => sender::push(app, &parts, name, id, body).await,
        (&Method::POST, Route::Push(name)) => sender::batch(app, &parts, name, body).await,
        (&Method::HEAD, Route::Message(name, id)) => sender::progress(app, &parts, name, id).await,
        (&Method::PATCH, Route::Message(name, id)) => {
            sender::part(app, &parts, name, id, body).await
        }
        (&Method::GET, Route::Info) => Ok(info(app)),
        (&Method::PUT, Route::Mailbox(name)) => owner::register(app, &parts, name, peer).await,
        (&Method::DELETE, Route::Mailbox(name)) => owner::close(app, &parts, name).await,
        (&Method::GET, Route::Status(name)) => owner::status(app, &parts, name).await,
        (&Method::GET, Route::Message(name, id)) => owner::fetch(app, &parts, name, id).await,
        (&Method::POST, Route::Take(name)) => owner::take(app, &parts, name, body).await,
        (&Method::POST, Route::Ack(name)) => owner::ack(app, &parts, name, body).await,
        (&Method::GET, Route::Capabilities(name)) => owner::capabilities(app, &parts, name).await,
        (&Method::PUT, Route::Capability(name, id)) => {
            owner::allow(app, &parts, name, id, body).await
        }
        (&Method::DELETE, Route::Capability(name, id)) => {
            owner::revoke(app, &parts, name, id).await
        }
        (_, Route::Nothing) => Err(Refusal::NoRoute),
        _ => Err(Refusal::Method(route.methods())),
    }
}

fn info(app: &App) -> Answer {
    let info = Info {
        protocol: protocol::NAME.into(),
        versions: Versions { min: protocol::VERSION, max: protocol::VERSION },
        limits: Limits {
            message_bytes: app.message_bytes,
            list: protocol::MAX_LIST,
            ack: protocol::MAX_ACK,
            batch: protocol::MAX_BATCH,
            batch_bytes: protocol::MAX_BATCH_BYTES,
            frame_bytes: protocol::MAX_FRAME,
            wait_seconds: protocol::MAX_WAIT,
            ttl_hours: app.ttl_hours,
            window_seconds: protocol::WINDOW,
        },
        registration: app.registration,
    };
    json(StatusCode::OK, &info)
}

impl App {
    /// The answer to be sent: a refusal is counted, and where the clock is not the system's,
    /// which hyper goes by, the answer says what time it is.
    fn finish(&self, outcome: Outcome) -> Answer {
        let mut answer = outcome.unwrap_or_else(|refusal| {
            self.metrics.refuse(refusal.code().1);
            refusal.answer(self.clock.now())
        });
        if let Some(date) = self.clock.date() {
            answer.headers_mut().insert(DATE, date);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let is = |path, route| assert_eq!(Route::of(path), route, "{path}");
        is("/v1/info", Route::Info);
        is("/v1/m/ab", Route::Mailbox("ab"));
        is("/v1/m/ab/cd", Route::Message("ab", "cd"));
        is("/v1/m/ab/push", Route::Push("ab"));
        is("/v1/m/ab/capabilities", Route::Capabilities("ab"));
        is("/v1/m/ab/capabilities/cd", Route::Capability("ab", "cd"));
        is("/v1/m/ab/", Route::Message("ab", ""));
        for path in [
            "",
            "/",
            "*",
            "/v1",
            "/v1/m",
            "/v1/info/",
            "/v2/info",
            "/v1/m/ab/cd/ef",
            "/v1/m/ab/capabilities/cd/ef",
        ] {
            is(path, Route::Nothing);
        }
    }
}
