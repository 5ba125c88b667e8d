//! What lists of models show, to clients and to people.

use super::resolve::Names;
use super::{Catalog, Decider, Offer, alias};
use crate::account::{Account, AccountId};
use crate::settings::AliasListing;
use crate::upstream::UpstreamModel;
use kiro_protocol::codec::ModelCard;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A model that accounts are offered.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfferedModel {
    /// The upstream's id; also the name to use.
    pub(crate) id: String,
    /// Its name for people.
    pub(crate) name: String,
    /// One line about it.
    pub(crate) description: Option<String>,
    /// Context window in tokens.
    pub(crate) context_window: Option<u64>,
    /// Output limit in tokens.
    pub(crate) max_output: Option<u64>,
    /// Whether it takes images.
    pub(crate) images: bool,
    /// Whether it takes documents such as PDFs.
    pub(crate) documents: bool,
    /// Levels of effort it knows, lowest first. None: it knows none.
    pub(crate) efforts: Vec<String>,
    /// What a request costs, relative to the usual.
    pub(crate) credit_multiplier: Option<f64>,
    /// Ids of the accounts that may use it. Empty while no account's list is known.
    pub(crate) accounts: Vec<AccountId>,
}

/// Another name for an offered model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OtherName {
    /// The name.
    pub(crate) name: String,
    /// Id of the model it means now.
    pub(crate) model: String,
}

impl Catalog {
    /// What a model list shows to clients.
    pub(crate) fn cards(&self, pool: &[Arc<Account>], listing: AliasListing, created: u64) -> Vec<ModelCard> {
        let offer = self.offer(pool);
        let mut cards: Vec<ModelCard> = offer.models().into_iter().map(|model| self.card_of(model, created)).collect();
        let aliases = listed(&offer, listing).into_iter().map(|(name, model)| {
            let card = self.card_of(model, created);
            ModelCard {
                id: name.to_owned(),
                name: format!("{} ({name})", card.name),
                alias_of: Some(card.id.clone()),
                ..card
            }
        });
        cards.extend(aliases);
        cards
    }

    /// One model as a list shows it; `None` when the name means nothing that is offered.
    pub(crate) fn card(&self, wish: &str, names: &Names<'_>, pool: &[Arc<Account>], created: u64) -> Option<ModelCard> {
        let trace = self.resolve(wish, names, pool).ok()?.trace;
        let offer = self.offer(pool);
        let card = self.card_of(offer.models().into_iter().find(|model| model.id == trace.model)?, created);
        match trace.by {
            Decider::Name => Some(card),
            Decider::Alias | Decider::KeyRule | Decider::Rule | Decider::PassedOn => {
                Some(ModelCard { id: trace.asked, alias_of: Some(card.id.clone()), ..card })
            }
        }
    }

    /// Everything that is offered, and to whom.
    pub(crate) fn offered(&self, pool: &[Arc<Account>]) -> Vec<OfferedModel> {
        let offer = self.offer(pool);
        offer
            .models()
            .into_iter()
            .map(|model| OfferedModel {
                id: model.id.clone(),
                name: model.name.clone(),
                description: model.description.clone(),
                context_window: model.window,
                max_output: model.max_output,
                images: model.images,
                documents: model.documents,
                efforts: self.efforts(model),
                credit_multiplier: model.multiplier,
                accounts: offer.accounts(&model.id),
            })
            .collect()
    }

    /// Every name that the gateway knows and that means something offered.
    pub(crate) fn other_names(&self, pool: &[Arc<Account>]) -> Vec<OtherName> {
        listed(&self.offer(pool), AliasListing::All)
            .into_iter()
            .map(|(name, model)| OtherName { name: name.to_owned(), model: model.id.clone() })
            .collect()
    }

    fn card_of(&self, model: &UpstreamModel, created: u64) -> ModelCard {
        ModelCard {
            id: model.id.clone(),
            name: model.name.clone(),
            created,
            context_window: model.window,
            max_output: model.max_output,
            images: model.images,
            efforts: self.efforts(model),
            credit_multiplier: model.multiplier,
            documents: model.documents,
            description: model.description.clone(),
            alias_of: None,
        }
    }

    /// The effort levels in a model's schema of additional fields: Claude's place first, then GPT's.
    fn efforts(&self, model: &UpstreamModel) -> Vec<String> {
        if self.is_plain(&model.id) {
            return Vec::new();
        }
        let schema = model.fields_schema.as_ref();
        let at = |group: &str| {
            schema?
                .pointer(&format!("/properties/{group}/properties/effort/enum"))
                .and_then(serde_json::Value::as_array)
        };
        at("output_config")
            .or_else(|| at("reasoning"))
            .into_iter()
            .flatten()
            .filter_map(|level| level.as_str().map(str::to_owned))
            .collect()
    }
}

fn listed(offer: &Offer, listing: AliasListing) -> Vec<(&'static str, &UpstreamModel)> {
    let names: Vec<&'static str> = match listing {
        AliasListing::None => Vec::new(),
        AliasListing::Short => alias::SHORT.to_vec(),
        AliasListing::All => alias::SHORT.into_iter().chain(alias::MORE).collect(),
    };
    names.into_iter().filter_map(|name| offer.alias(name).map(|model| (name, model))).collect()
}
