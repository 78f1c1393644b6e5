#!/bin/sh
# Builds, tests, shows and installs paligemma. Needs nothing but a shell: what is missing is installed first.
set -eu
caller=$PWD
cd "$(dirname "$0")"

usage() {
    cat <<'END'
usage: ./build.sh TARGET...

  demo           builds and answers a prompt about a photograph
  test           builds and runs all tests
  build          builds build/paligemma and build/libpaligemma.so
  install [DIR]  builds and installs under DIR (default: /usr/local)
  packages       builds Debian packages in build-packages
  clean          removes everything that was built
  deps           installs the packages that building needs (the targets above do this by themselves)
  deps-ci        the same for .ci/run, deps-long for tools/long-checks, deps-world for examples/emoji-world

On Debian and Ubuntu, missing packages are installed with apt; elsewhere they are named.
END
}

# Debian's and Ubuntu's names.
LIBRARY_PACKAGES="libc6-dev libjansson-dev libjpeg-dev libpng-dev libwebp-dev libgif-dev libtiff-dev zlib1g-dev libzip-dev
    libarchive-dev libcairo2-dev libsqlite3-dev libmicrohttpd-dev libcurl4-openssl-dev libssl-dev libcmocka-dev"
# Pictures have letters in them: without a font, labels in other scripts than ASCII are boxes.
BUILD_PACKAGES="gcc cmake ninja-build pkg-config python3 ca-certificates curl fonts-dejavu-core $LIBRARY_PACKAGES"
# What the tests use: of the Python package, and of files that commands write.
TEST_PACKAGES="file python3-pytest python3-numpy python3-pil"
CI_PACKAGES="git ccache clang-format clang-tidy gcc-aarch64-linux-gnu qemu-user fish zsh lintian"
LONG_PACKAGES="git clang clang-tidy libclang-rt-dev valgrind gcovr"
# What examples/emoji-world needs to make its pictures, texts and vocabularies.
WORLD_PACKAGES="libexpat1-dev fonts-noto-color-emoji fonts-dejavu-core fonts-liberation
    fonts-freefont-ttf unicode-cldr-core sentencepiece wordnet-base debian-faq debian-faq-de debian-faq-fr debian-faq-it
    debian-faq-nl debian-reference-es debian-reference-pt"
BUILD_TOOLS="cc cmake ninja pkg-config"

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

# Those of the named packages that dpkg does not have.
missing_packages() {
    for package; do
        status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "not root, and there is no sudo; please run as root: $*"
    fi
}

install_with_apt() {
    missing=$(missing_packages "$@")
    [ "$missing" ] || return 0
    echo "build.sh: installing $missing"
    # A machine that has never updated its lists knows no packages.
    as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}

name_what_is_needed() {
    echo "build.sh: this system has no apt. Needed, under whatever name it gives them:"
    echo "  a C11 compiler, CMake 3.21, Ninja, pkg-config, Python 3 and the development files of"
    echo "  jansson, libjpeg, libpng, libwebp, giflib, libtiff, zlib, libzip, libarchive, cairo, fontconfig, SQLite, libmicrohttpd,"
    echo "  libcurl, OpenSSL and cmocka"
    echo "  and a font, for labels in pictures (DejaVu Sans)"
    for tool in $BUILD_TOOLS; do
        command -v "$tool" >/dev/null || fail "$tool is missing"
    done
    echo "build.sh: the tools are there, going on"
}

deps() {
    # shellcheck disable=SC2086 # lists of words
    if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
        install_with_apt "$@"
    else
        name_what_is_needed
    fi
}

# The libraries of another architecture, in a folder of their own.
deps_arm() {
    if command -v apt-get >/dev/null; then
        # shellcheck disable=SC2086
        tools/make-sysroot $LIBRARY_PACKAGES
    fi
}

build() {
    # shellcheck disable=SC2086
    deps $BUILD_PACKAGES
    cmake --preset release
    cmake --build build
}

# The time of the last change, so that the same sources make the same packages.
packages() {
    # shellcheck disable=SC2086
    deps $BUILD_PACKAGES dpkg-dev file
    if SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null); then
        export SOURCE_DATE_EPOCH
    else
        unset SOURCE_DATE_EPOCH
    fi
    cmake --preset packages
    cmake --build build-packages
    (cd build-packages && rm -f ./*.deb && cpack)
}

run_tests() {
    # shellcheck disable=SC2086
    deps $BUILD_PACKAGES $TEST_PACKAGES
    build
    ctest --test-dir build --output-on-failure -j "$(nproc)"
}

# A prefix of one's own needs no root.
install_under() {
    build
    folder=$1
    while [ ! -e "$folder" ]; do
        folder=$(dirname "$folder")
    done
    if [ -w "$folder" ]; then
        cmake --install build --prefix "$1"
    else
        as_root cmake --install build --prefix "$1"
    fi
    if [ "$1" = /usr/local ] || [ "$1" = /usr ]; then
        as_root ldconfig
    fi
}

is_target() {
    case $1 in
    demo | test | build | install | packages | clean | deps | deps-ci | deps-long | deps-world | -h | --help | help) ;;
    *) return 1 ;;
    esac
}

[ $# -gt 0 ] || { usage >&2; exit 2; }
while [ $# -gt 0 ]; do
    target=$1
    shift
    # shellcheck disable=SC2086 # lists of words
    case $target in
    demo)
        build
        tools/demo.sh
        ;;
    test) run_tests ;;
    build) build ;;
    install)
        prefix=/usr/local
        if [ $# -gt 0 ] && ! is_target "$1"; then
            case $1 in
            /*) prefix=$1 ;;
            *) prefix=$caller/$1 ;;
            esac
            shift
        fi
        install_under "$prefix"
        ;;
    packages) packages ;;
    clean) rm -rf build build-* ;;
    deps) deps $BUILD_PACKAGES ;;
    deps-ci)
        deps $BUILD_PACKAGES $TEST_PACKAGES $CI_PACKAGES $WORLD_PACKAGES
        deps_arm
        ;;
    deps-world) deps $BUILD_PACKAGES $WORLD_PACKAGES ;;
    deps-long) deps $BUILD_PACKAGES $LONG_PACKAGES ;;
    -h | --help | help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
done
