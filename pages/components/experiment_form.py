"""The settings of an experiment as a form: fill it from a preset or an earlier run, and read it as a config."""

from typing import Any

import streamlit as st

from fairsal_core.classifiers import CLASSIFIERS
from fairsal_core.experiments import PRESETS, ExperimentConfig, parse_config, preset_settings
from fairsal_core.faces import FaceDataset
from fairsal_core.regions import MEASURES
from fairsal_core.saliency import EXPLAINERS
from fairsal_core.schemes import NOISE_DOMAINS, SCHEMES
from pages.components.data import sources
from pages.components.subset import COUNT_FIELDS, choose_counts

QUANTILES = [round(0.05 * step, 2) for step in range(1, 20)]
_ROIS = ("auto", "region_map@0.7", "preset", "parts")
_TRAINING_FIELDS = ("epochs", "learning_rate", "learning_rate_decay", "batch_size", "classifier", "weights")


def fill_form(config: ExperimentConfig) -> None:
    """Set the form's fields to an experiment's settings."""
    for field in COUNT_FIELDS:
        st.session_state[f"count_{field}"] = getattr(config.counts, field)
    schemes = list(dict.fromkeys(choice.scheme for choice in config.schemes))
    for scheme in schemes:
        chosen = [choice.quantile for choice in config.schemes if choice.scheme == scheme]
        st.session_state[f"quantiles_{scheme}"] = list(dict.fromkeys(chosen))
    noise = [choice.noise_domain for choice in config.schemes if "noise" in choice.scheme]
    st.session_state.update(
        confounder=config.confounder,
        target=config.target,
        schemes=schemes,
        treat_probability=config.schemes[0].treat_probability if config.schemes else 1.0,
        noise_domain=noise[0] if noise else "pixel",
        balanced=config.balanced,
        seed_count=len(config.seeds),
        mask_epochs=config.mask_epochs,
        run_measure=config.measure,
        explainers=[choice.name for choice in config.attention.explainers],
        explained_faces=config.attention.explained_faces,
        attention_roi=config.attention.roi.name,
        attention_magnitude=config.attention.magnitude,
        **{field: getattr(config.training, field) for field in _TRAINING_FIELDS},
    )


def fill_form_from_preset(name: str) -> None:
    """Set the form's fields to a preset's settings."""
    fill_form(parse_config(preset_settings(name)))


def clone_settings(config: ExperimentConfig) -> None:
    """Set the form to an earlier run's settings, and the page to its faces if they are still on offer."""
    fill_form(config)
    if config.data in sources():
        st.session_state["train_source"] = config.data


def experiment_form(source: str, faces: FaceDataset) -> dict[str, Any]:
    """Show the experiment's settings and return them as a config's content."""
    target, confounder = _choose_attributes(faces)
    st.markdown("**Training faces** · how many of each subgroup")
    counts = choose_counts(faces, target, confounder)
    st.markdown("**Variants** · each is trained once per seed")
    schemes = _choose_schemes()
    columns = st.columns(4)
    seeds = columns[0].number_input("Seeds", 1, 20, key="seed_count", help="More seeds, narrower intervals.")
    epochs = columns[1].number_input("Epochs", 1, 500, key="epochs")
    mask_epochs = columns[2].number_input(
        "Epochs for masks",
        1,
        500,
        key="mask_epochs",
        value=None,
        placeholder="the same",
        help="The paper trains masks for 10 epochs and noise for 20, each beside an original trained as long.",
    )
    device = columns[3].selectbox(
        "Device", ["auto", "cpu", "cuda"], key="device", help="auto: a GPU where there is one."
    )
    st.markdown("**Attention** · what every variant looks at, measured after training")
    attention = _choose_attention()
    more = _more_settings()
    return {
        "data": source,
        "target": target,
        "confounder": confounder,
        "counts": counts.model_dump(),
        "balanced": st.session_state["balanced"],
        "schemes": schemes,
        "measure": st.session_state["run_measure"],
        "attention": attention,
        "seeds": list(range(int(seeds))),
        "device": device,
        "mask_epochs": mask_epochs,
        "training": {"epochs": epochs, **more},
    }


def _choose_attributes(faces: FaceDataset) -> tuple[str, str]:
    attributes = usable_attributes(faces)
    preset_column, target_column, confounder_column = st.columns([2, 1, 1])
    preset_column.selectbox(
        "Start from",
        list(PRESETS),
        format_func=lambda name: PRESETS[name].description,
        key="preset",
        on_change=lambda: fill_form_from_preset(st.session_state["preset"]),
    )
    target = target_column.selectbox("Target attribute", attributes, key="target", help="What the classifier predicts.")
    confounder = confounder_column.selectbox(
        "Confounder", attributes, key="confounder", help="What it should not rely on."
    )
    if target == confounder:
        st.error("Target and confounder are the same; choose two different attributes.")
        st.stop()
    return str(target), str(confounder)


def _choose_schemes() -> list[str]:
    """Show the schemes, and the quantiles of each chosen one; return them as SCHEME@QUANTILE with their options."""
    left, right = st.columns([3, 1])
    schemes = left.multiselect("Schemes", list(SCHEMES), key="schemes", help="Each hides regions in its own way.")
    probability = right.slider(
        "Treated share",
        0.05,
        1.0,
        step=0.05,
        key="treat_probability",
        help="How many training images are treated at each step; the others stay clean. The paper treats all.",
    )
    left.checkbox("Also train on equal cells (balanced)", key="balanced")
    domain = st.session_state.get("noise_domain", "pixel")
    options = (f",p={probability:g}" if probability < 1 else "") + (f",{domain}" if domain != "pixel" else "")
    columns = st.columns(max(len(schemes), 2))
    names = []
    for column, scheme in zip(columns, schemes, strict=False):
        key = f"quantiles_{scheme}"
        st.session_state.setdefault(key, [0.7])
        quantiles = column.multiselect(
            f"Quantiles of {scheme}",
            sorted({*QUANTILES, *st.session_state[key]}),
            key=key,
            help="0.7 hides the top 30%. Several make several variants.",
        )
        names += [f"{scheme}@{quantile:g}{options}" for quantile in quantiles]
    return names


def _choose_attention() -> dict[str, Any]:
    """Show explainers, faces and region of interest; settings are typed as on the command line."""
    columns = st.columns([3, 2, 2, 2])
    explainers = columns[0].multiselect(
        "Explainers",
        list(dict.fromkeys([*EXPLAINERS, *st.session_state["explainers"]])),
        key="explainers",
        accept_new_options=True,
        placeholder="none",
        help="\n\n".join(
            [
                *(f"{name}: {explainer.description}" for name, explainer in EXPLAINERS.items()),
                "With settings: `integrated_gradients:steps=20`.",
            ]
        ),
    )
    count = columns[1].number_input(
        "Faces to explain", 4, 4096, step=4, key="explained_faces", help="Test faces, equally many of each subgroup."
    )
    roi = columns[2].selectbox(
        "Region of interest",
        list(dict.fromkeys([*_ROIS, st.session_state["attention_roi"] or "auto"])),
        key="attention_roi",
        accept_new_options=True,
        help="auto: the region map where the run has one, else the confounder's part masks, else its preset. "
        "`region_map@0.8` is what lies above that quantile, `30,84,60,24` a box: x, y, width, height in pixels of 128.",
    )
    magnitude = columns[3].selectbox(
        "Magnitude",
        ["per_image", "raw"],
        key="attention_magnitude",
        help="per_image scales each map by its largest value, as the paper does; raw keeps its strength.",
    )
    return {"explainers": explainers, "explained_faces": count, "roi": roi or "auto", "magnitude": magnitude}


def _more_settings() -> dict[str, Any]:
    with st.expander("More settings"):
        columns = st.columns(3)
        classifier = columns[0].selectbox("Audited classifier", list(CLASSIFIERS), key="classifier")
        weights = columns[1].selectbox(
            "Begin with weights",
            ["random", "imagenet"],
            key="weights",
            help="imagenet: for the ResNets, from a file of your own in the workspace's folder `imagenet`.",
        )
        columns[2].selectbox("Confidence measure of the maps", list(MEASURES), key="run_measure")
        numbers = st.columns(4)
        rate = numbers[0].number_input("Learning rate", 1e-7, 1.0, format="%.1e", step=1e-5, key="learning_rate")
        decay = numbers[1].number_input("Decay per epoch", 0.1, 1.0, step=0.05, key="learning_rate_decay")
        batch = numbers[2].number_input("Batch size", 2, 4096, key="batch_size")
        numbers[3].selectbox(
            "Noise is added",
            list(NOISE_DOMAINS),
            format_func=lambda name: {"pixel": "to pixels", "normalised": "after normalisation"}.get(name, name),
            key="noise_domain",
            help="The authors' code adds noise, and clips, after normalisation.",
        )
    return {
        "classifier": classifier,
        "weights": weights,
        "batch_size": batch,
        "learning_rate": rate,
        "learning_rate_decay": decay,
    }


def usable_attributes(faces: FaceDataset) -> list[str]:
    """Return the attributes that some faces have and some have not."""
    varies = faces.attributes.any() & ~faces.attributes.all()
    return [str(name) for name in faces.attributes.columns[varies]]
