"""HiMAE is the published model, and its masked task scores what it should."""

from __future__ import annotations

import pytest
import torch

from onwrist_export.model.himae import HiMAE, HiMAEConfig, masked_loss, patch_mask


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_published_sizes() -> None:
    model = HiMAE(HiMAEConfig())
    assert parameters(model) == 1_245_953
    assert parameters(model.encoder_layers) == 700_672
    assert model.config.receptive_fields == (13, 37, 85, 181, 373)
    assert model.config.strides == (2, 4, 8, 16, 32)


@pytest.mark.parametrize("samples", [250, 256, 1000])
@pytest.mark.parametrize("inputs", [1, 6])
def test_shapes(samples: int, inputs: int) -> None:
    model = HiMAE(HiMAEConfig(inputs=inputs, outputs=inputs, samples=samples)).eval()
    x = torch.randn(2, inputs, samples)
    stages = model.encode(x)
    assert [tuple(s.shape) for s in stages] == [
        (2, w, -(-samples // s))
        for w, s in zip(model.config.widths, model.config.strides, strict=True)
    ]
    assert model(x).shape == x.shape


@pytest.mark.parametrize("padding", ["same", "causal"])
def test_receptive_field_is_what_the_config_says(padding: str) -> None:
    model = HiMAE(HiMAEConfig(samples=1024, activation="relu", padding=padding)).eval()
    x = torch.randn(1, 1, 1024, requires_grad=True)
    for stage, reach, stride in zip(
        model.encode(x), model.config.receptive_fields, model.config.strides, strict=True
    ):
        at = stage.shape[-1] // 2
        (gradient,) = torch.autograd.grad(stage[0, :, at].sum(), x, retain_graph=True)
        touched = gradient[0, 0].nonzero()[:, 0]
        assert touched.max() - touched.min() + 1 <= reach
        if padding == "causal":
            assert touched.max() <= at * stride + stride - 1


def test_causal_stages_never_look_ahead() -> None:
    model = HiMAE(HiMAEConfig(samples=256, padding="causal")).eval()
    x = torch.randn(1, 1, 256)
    changed = x.clone()
    changed[..., 128:] += 1.0
    for before, after, stride in zip(
        model.encode(x), model.encode(changed), model.config.strides, strict=True
    ):
        past = 128 // stride
        assert torch.equal(before[..., :past], after[..., :past])
        assert not torch.equal(before, after)


def test_patch_mask_hides_whole_patches_and_the_asked_share() -> None:
    mask = patch_mask(64, 250, patch=5, ratio=0.8, generator=torch.Generator().manual_seed(0))
    assert mask.shape == (64, 1, 250)
    patches = mask[:, 0].reshape(64, 50, 5)
    assert (patches.all(-1) | ~patches.any(-1)).all()
    assert (patches.all(-1).sum(1) == 40).all()
    assert patches[:, :, 0].float().mean(0).min() > 0.5  # no patch is favoured


def test_loss_ignores_what_is_not_scored() -> None:
    target = torch.randn(2, 1, 50)
    scored = torch.zeros(2, 1, 50, dtype=torch.bool)
    scored[:, :, 10:20] = True
    reconstruction = target.clone().requires_grad_()
    wrong = reconstruction + torch.where(scored, 1.0, 100.0)
    loss = masked_loss(wrong, target, scored)
    assert loss.item() == pytest.approx(1.0, rel=1e-5)
    loss.backward()
    assert reconstruction.grad is not None
    assert (reconstruction.grad[~scored] == 0).all()
    assert masked_loss(wrong, target, torch.zeros_like(scored)).item() == 0.0
