"""Faults of the views."""

from proof.planted.mutant import planter

plant = planter("simclr_core")

MUTANTS = (
    plant(
        "one crop for the whole batch",
        "augmentations.py",
        "draws.integers(room_B2 + 1), room_B2 // 2)\n"
        "        return CropChances(torch.cat([corner_B2, sides_B2], dim=1), ",
        "draws.integers(room_B2 + 1), room_B2 // 2)\n"
        "        boxes = torch.cat([corner_B2, sides_B2], dim=1)\n"
        "        return CropChances(boxes[:1].expand_as(boxes), ",
        "test_augmentations.py",
        "test_crops.py",
    ),
    plant(
        "one jitter for the whole batch",
        "colour.py",
        "brightness=factors[:, 0] if multiplies else added,",
        "brightness=factors[:1, 0].expand(len(factors)),",
        "test_augmentations.py",
        "test_colour.py",
    ),
    plant(
        "one blur width for the whole batch",
        "filters.py",
        "least + (largest - least) * width)",
        "least + (largest - least) * width[:1].expand(len(width)))",
        "test_augmentations.py",
        "test_filters.py",
    ),
    plant(
        "both views are the same",
        "views.py",
        '_NAMES = ("first", "second", ',
        '_NAMES = ("first", "first", ',
        "test_views.py",
    ),
    plant(
        "the same views in every epoch",
        "chance.py",
        "_WEYL * (epoch + 1))",
        "_WEYL)",
        "test_chance.py",
        "test_views.py",
        "test_pretrain.py",
    ),
    plant(
        "grey before the jitter",
        "colour.py",
        "            planes = changed_where(planes, jittered, _jitter, *jitter)\n",
        "            planes = changed_where(planes, dropped, _drop)\n"
        "            planes = changed_where(planes, jittered, _jitter, *jitter)\n"
        "            return planes.transpose(0, 1)\n",
        "test_colour.py",
    ),
    plant(
        "jitter on every view, without its probability",
        "colour.py",
        "jittered=uniform[:, 0] < self.jitter_probability",
        "jittered=uniform[:, 0] < 1",
        "test_colour.py",
    ),
    plant(
        "blur on every view, without its probability",
        "filters.py",
        "chosen < self.probability",
        "chosen < 1",
        "test_filters.py",
    ),
    plant(
        "hue turned by the whole strength",
        "colour.py",
        "hue=0.2 * self.strength",
        "hue=0.8 * self.strength",
        "test_colour.py",
    ),
    plant(
        "aspect uniform in place of log-uniform",
        "augmentations.py",
        "logarithms = (math.log(self.aspect[0]), math.log(self.aspect[1]))\n"
        "        aspect_BT = _between(logarithms, uniform[:, 1 + _TRIES :]).exp()",
        "aspect_BT = _between(self.aspect, uniform[:, 1 + _TRIES :])",
        "test_crops.py",
    ),
    plant(
        "height and width swapped in a crop",
        "augmentations.py",
        "drawn_B2 = torch.cat([heights_BT.gather(1, first_B1), widths_BT.gather(1, first_B1)], dim=1)",
        "drawn_B2 = torch.cat([widths_BT.gather(1, first_B1), heights_BT.gather(1, first_B1)], dim=1)",
        "test_crops.py",
    ),
    plant(
        "crops resized without antialiasing",
        "resampling.py",
        "distance.mul_(scale_B1.clamp(min=1).reciprocal()[:, :, None])",
        "distance.mul_(scale_B1.clamp(min=1, max=1)[:, :, None])",
        "test_crops.py",
    ),
    plant(
        "blur widths from 0.2",
        "filters.py",
        "sigma: tuple[float, float] = (0.1, 2.0)",
        "sigma: tuple[float, float] = (0.2, 2.0)",
        "test_filters.py",
        "test_views.py",
    ),
    plant(
        "the cell's operation reaches both branches",
        "views.py",
        'return base, [], _steps(cell, "branch", square, chance, size)',
        'return base, _steps(cell, "branch", square, chance, size), '
        '_steps(cell, "branch", square, chance, size)',
        "test_views.py",
    ),
    plant(
        "base crop and cell crop are one",
        "views.py",
        'return base, [], _steps(cell, "branch", square, chance, size)',
        'return base, [], _steps(cell, "base", square, chance, size)',
        "test_views.py",
    ),
    plant(
        "jitter in one order for the whole batch",
        "colour.py",
        "uniform[:, 6:].argsort(1)",
        "uniform[:1, 6:].argsort(1).expand(len(shapes), 4)",
        "test_colour.py",
    ),
    plant(
        "the official sampler without its least cover",
        "augmentations.py",
        "        fits_BT &= area_BT >= _COVERED * whole_B1\n",
        "",
        "test_crops.py",
    ),
    plant(
        "equalise rounds down to levels",
        "levels.py",
        ".round_()",
        ".floor_()",
        "test_levels.py",
    ),
    plant(
        "one motion line for the whole batch",
        "motion.py",
        "math.pi * turn)",
        "math.pi * turn[:1].expand_as(turn))",
        "test_motion.py",
    ),
    plant(
        "noise on every view, without its probability",
        "augmentations.py",
        "NoiseChances(draws.uniform(1).squeeze(1) < self.probability",
        "NoiseChances(draws.uniform(1).squeeze(1) < 1",
        "test_augmentations.py",
    ),
    plant(
        "sigma per batch is ignored",
        "filters.py",
        "width = width[:1].expand_as(width)",
        "pass",
        "test_filters.py",
    ),
    plant(
        "AutoAugment's operations always carried out",
        "autoaugment.py",
        "(uniform[:, 1:] < likely_B2) & chosen_B1",
        "chosen_B1.expand(-1, 2)",
        "test_autoaugment.py",
    ),
    plant(
        "one pair for the whole batch",
        "autoaugment.py",
        "policy=policy,",
        "policy=policy[:1].expand_as(policy),",
        "test_autoaugment.py",
    ),
    plant(
        "AutoAugment shears round the centre",
        "autoaugment.py",
        "(down + levels.shape[-1] / 2)",
        "down",
        "test_autoaugment.py",
    ),
    plant(
        "the third view is the first",
        "views.py",
        '"second", "third"',
        '"second", "first"',
        "test_views.py",
    ),
    plant(
        "own operations draw by their place",
        "views.py",
        "operation.stream if isinstance(operation, FileOperation) else operation.kind",
        "operation.kind",
        "test_own.py",
    ),
    plant(
        "both views are blurred by the same numbers",
        "views.py",
        "draws = chance.at(view, name, met[name])",
        'draws = chance.at("first" if name == "blur" else view, name, met[name])',
        "test_views.py::test_all_that_happens_to_one_view_of_the_default_is_independent_of_the_other",
        "test_views.py::test_with_a_sigma_per_batch_a_view_depends_on_its_batch_by_the_first_pictures_sigma_alone",
    ),
    plant(
        "the hue is turned the other way",
        "colour.py",
        "hue = hue.copysign_(g - b)",
        "hue = hue.copysign_(b - g)",
        "test_colour.py",
    ),
)
