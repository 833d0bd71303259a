"""The shelves are valid, and the wheel carries them and nothing heavy."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from stereocast import catalog
from stereocast.errors import UnknownName, UsageError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", catalog.names("encoders"))
def test_encoder_profiles_are_valid(name: str) -> None:
    assert catalog.encoder(name).name == name


@pytest.mark.parametrize("name", catalog.names("presets"))
def test_presets_name_real_encoders_that_their_headset_decodes(name: str) -> None:
    preset = catalog.preset(name)
    for encoder in (*preset.encoders, *preset.encoders_wide, *preset.encoders_hdr):
        assert catalog.encoder(encoder).family in preset.limits


def test_the_presets_of_the_product_are_there() -> None:
    wanted = "quest3 quest3s quest2 quest-pro vision-pro 3dtv youtube-vr180 cardboard anaglyph-web".split()
    assert set(wanted) <= set(catalog.names("presets"))


def test_paths_and_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'quest3'"):
        catalog.preset("qest3")
    own = tmp_path / "mine.toml"
    own.write_text('about = "x"\ncodec = "libx264"\nfamily = "h264"\n')
    assert catalog.encoder(str(own)).codec == "libx264"
    own.write_text('about = "x"\ncodec = "libx264"\nfamily = "h264"\nspeed = 3\n')
    with pytest.raises(UsageError, match="speed"):
        catalog.encoder(str(own))
    own.write_text("about = ")
    with pytest.raises(UsageError, match="not valid TOML"):
        catalog.encoder(str(own))
    own.write_text('about = "ü"\ncodec = "libx264"\nfamily = "h264"\n', encoding="latin-1")
    with pytest.raises(UsageError, match="not valid TOML"):
        catalog.encoder(str(own))


def test_wheel_contains_the_shelves(tmp_path: Path) -> None:
    build = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "No module named" in build.stderr + build.stdout or "Missing dependencies" in build.stderr + build.stdout:
        pytest.skip("hatchling isn't installed for a build without isolation")
    assert build.returncode == 0, build.stdout + build.stderr
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert "stereocast/presets/quest3.toml" in names
    assert "stereocast/encoders/x264.toml" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "training/", "samples/"))]
