"""Faults of the views."""

from proof.planted.mutant import planter

plant = planter("simclr_core")

MUTANTS = (
    plant(
        "one crop for the whole batch",
        "augment/operations.py",
        "draws.integers(room_B2 + 1), room_B2 // 2)\n"
        "        return CropParams(torch.cat([corner_B2, sides_B2], dim=1), ",
        "draws.integers(room_B2 + 1), room_B2 // 2)\n"
        "        boxes = torch.cat([corner_B2, sides_B2], dim=1)\n"
        "        return CropParams(boxes[:1].expand_as(boxes), ",
        "simclr_core/augment/test_operations.py",
        "simclr_core/augment/test_crops.py",
    ),
    plant(
        "one jitter for the whole batch",
        "augment/colour.py",
        "brightness=factors[:, 0] if multiplies else added,",
        "brightness=factors[:1, 0].expand(len(factors)),",
        "simclr_core/augment/test_operations.py",
        "simclr_core/augment/test_colour.py",
    ),
    plant(
        "one blur width for the whole batch",
        "augment/blur_sobel.py",
        "least + (largest - least) * width)",
        "least + (largest - least) * width[:1].expand(len(width)))",
        "simclr_core/augment/test_operations.py",
        "simclr_core/augment/test_blur_sobel.py",
    ),
    plant(
        "both views are the same",
        "augment/views.py",
        '_NAMES = ("first", "second", ',
        '_NAMES = ("first", "first", ',
        "simclr_core/augment/test_views.py",
    ),
    plant(
        "the same views in every epoch",
        "chance.py",
        "WEYL * (epoch + 1))",
        "_WEYL)",
        "simclr_core/test_chance.py",
        "simclr_core/augment/test_views.py",
        "simclr_core/training/test_pretraining.py",
    ),
    plant(
        "grey before the jitter",
        "augment/colour.py",
        "            planes = changed_where(planes, jittered, _jitter, *jitter)\n",
        "            planes = changed_where(planes, dropped, _drop)\n"
        "            planes = changed_where(planes, jittered, _jitter, *jitter)\n"
        "            return planes.transpose(0, 1)\n",
        "simclr_core/augment/test_colour.py",
    ),
    plant(
        "jitter on every view, without its probability",
        "augment/colour.py",
        "jittered=uniform[:, 0] < self.jitter_probability",
        "jittered=uniform[:, 0] < 1",
        "simclr_core/augment/test_colour.py",
    ),
    plant(
        "blur on every view, without its probability",
        "augment/blur_sobel.py",
        "chosen < self.probability",
        "chosen < 1",
        "simclr_core/augment/test_blur_sobel.py",
    ),
    plant(
        "hue turned by the whole strength",
        "augment/colour.py",
        "hue=0.2 * self.strength",
        "hue=0.8 * self.strength",
        "simclr_core/augment/test_colour.py",
    ),
    plant(
        "aspect uniform in place of log-uniform",
        "augment/operations.py",
        "logarithms = (math.log(self.aspect[0]), math.log(self.aspect[1]))\n"
        "        aspect_BT = _between(logarithms, uniform[:, 1 + _TRIES :]).exp()",
        "aspect_BT = _between(self.aspect, uniform[:, 1 + _TRIES :])",
        "simclr_core/augment/test_crops.py",
    ),
    plant(
        "height and width swapped in a crop",
        "augment/operations.py",
        "drawn_B2 = torch.cat([heights_BT.gather(1, first_B1), widths_BT.gather(1, first_B1)], dim=1)",
        "drawn_B2 = torch.cat([widths_BT.gather(1, first_B1), heights_BT.gather(1, first_B1)], dim=1)",
        "simclr_core/augment/test_crops.py",
    ),
    plant(
        "crops resized without antialiasing",
        "augment/resize.py",
        "distance.mul_(scale_B1.clamp(min=1).reciprocal()[:, :, None])",
        "distance.mul_(scale_B1.clamp(min=1, max=1)[:, :, None])",
        "simclr_core/augment/test_crops.py",
    ),
    plant(
        "blur widths from 0.2",
        "augment/blur_sobel.py",
        "sigma: tuple[float, float] = (0.1, 2.0)",
        "sigma: tuple[float, float] = (0.2, 2.0)",
        "simclr_core/augment/test_blur_sobel.py",
        "simclr_core/augment/test_views.py",
    ),
    plant(
        "the cell's operation reaches both branches",
        "augment/views.py",
        'return base, [], _steps(self.branch, "branch", square, chance, size)',
        'return base, _steps(self.branch, "branch", square, chance, size), '
        '_steps(self.branch, "branch", square, chance, size)',
        "simclr_core/augment/test_views.py",
    ),
    plant(
        "base crop and cell crop are one",
        "augment/views.py",
        'return base, [], _steps(self.branch, "branch", square, chance, size)',
        'return base, [], _steps(self.branch, "base", square, chance, size)',
        "simclr_core/augment/test_views.py",
    ),
    plant(
        "jitter in one order for the whole batch",
        "augment/colour.py",
        "uniform[:, 6:].argsort(1)",
        "uniform[:1, 6:].argsort(1).expand(len(shapes), 4)",
        "simclr_core/augment/test_colour.py",
    ),
    plant(
        "the official sampler without its least cover",
        "augment/operations.py",
        "        fits_BT &= area_BT >= _COVERED * whole_B1\n",
        "",
        "simclr_core/augment/test_crops.py",
    ),
    plant(
        "equalise rounds down to levels",
        "augment/solarise_equalise.py",
        ".round_()",
        ".floor_()",
        "simclr_core/augment/test_solarise_equalise.py",
    ),
    plant(
        "one motion line for the whole batch",
        "augment/motion_blur.py",
        "math.pi * turn)",
        "math.pi * turn[:1].expand_as(turn))",
        "simclr_core/augment/test_motion_blur.py",
    ),
    plant(
        "noise on every view, without its probability",
        "augment/operations.py",
        "NoiseParams(draws.uniform(1).squeeze(1) < self.probability",
        "NoiseParams(draws.uniform(1).squeeze(1) < 1",
        "simclr_core/augment/test_operations.py",
    ),
    plant(
        "sigma per batch is ignored",
        "augment/blur_sobel.py",
        "width = width[:1].expand_as(width)",
        "pass",
        "simclr_core/augment/test_blur_sobel.py",
    ),
    plant(
        "AutoAugment's operations always carried out",
        "augment/autoaugment.py",
        "(uniform[:, 1:] < likely_B2) & chosen_B1",
        "chosen_B1.expand(-1, 2)",
        "simclr_core/augment/test_autoaugment.py",
    ),
    plant(
        "one pair for the whole batch",
        "augment/autoaugment.py",
        "policy=policy,",
        "policy=policy[:1].expand_as(policy),",
        "simclr_core/augment/test_autoaugment.py",
    ),
    plant(
        "AutoAugment shears round the centre",
        "augment/autoaugment.py",
        "(down + levels.shape[-1] / 2)",
        "down",
        "simclr_core/augment/test_autoaugment.py",
    ),
    plant(
        "the third view is the first",
        "augment/views.py",
        '"second", "third"',
        '"second", "first"',
        "simclr_core/augment/test_views.py",
    ),
    plant(
        "own operations draw by their place",
        "augment/views.py",
        "view, operation.stream, met[operation.stream]",
        "view, operation.kind, met[operation.stream]",
        "simclr_core/plugins/test_component.py",
    ),
    plant(
        "both views are blurred by the same numbers",
        "augment/views.py",
        "draws = chance.at(view,",
        'draws = chance.at("first" if operation.stream == "blur" else view,',
        "simclr_core/augment/test_views.py::test_all_that_happens_to_one_view_of_the_default_is_independent_of_the_other",
        "simclr_core/augment/test_views.py::test_with_a_sigma_per_batch_a_view_depends_on_its_batch_by_the_first_pictures_sigma_alone",
    ),
    plant(
        "the hue is turned the other way",
        "augment/colour.py",
        "hue = hue.copysign_(g - b)",
        "hue = hue.copysign_(b - g)",
        "simclr_core/augment/test_colour.py",
    ),
)
