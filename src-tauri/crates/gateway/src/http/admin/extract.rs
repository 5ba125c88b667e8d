//! Bodies and paths whose mistakes are told as problems.

use crate::error::{Problem, ProblemCode};
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(ProblemCode::InvalidRequest, words(&rejection))),
        }
    }
}

/// What stands behind the path.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(ProblemCode::InvalidRequest, rejection.body_text())),
        }
    }
}

/// The text of a rejected import may hold secrets, so the words never repeat a body.
fn words(rejection: &JsonRejection) -> String {
    match rejection {
        JsonRejection::MissingJsonContentType(_) => "the body must be sent as application/json".to_owned(),
        JsonRejection::JsonSyntaxError(_) => "the body is not JSON".to_owned(),
        JsonRejection::JsonDataError(_) => "the body lacks a field or has one of the wrong type".to_owned(),
        _ => "the body cannot be read, or it is too large".to_owned(),
    }
}

/// Unknown paths.
pub(super) async fn nothing_here() -> Problem {
    Problem::new(ProblemCode::NotFound, "the admin API has no such call")
}
