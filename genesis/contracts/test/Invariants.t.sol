// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {UniverseERC20} from "../src/UniverseERC20.sol";
import {UniverseERC721} from "../src/UniverseERC721.sol";
import {UniverseItems} from "../src/UniverseItems.sol";
import {UniverseTemplate} from "../src/UniverseTemplate.sol";
import {Base, Names, Taker, vm, registry} from "./Base.sol";

/// @dev Plays at random with one template: mints with fresh, repeated and no references by minter and others, moves,
/// burns, pauses. Writes down what must never be.
abstract contract Handler is Names {
    UniverseTemplate public template;
    address[] public actors;
    mapping(bytes32 => bool) public isUsed;

    bool public strangerMinted;
    bool public movedWhilePaused;
    bool public referenceTwice;
    uint256 public mints;
    uint256 public moves;
    uint256 public burns;
    uint256 public repeatsRefused;
    uint256 public frozenRefused;

    constructor(UniverseTemplate template_) {
        template = template_;
        actors = [address(0x1001), address(0x1002), address(0x1003), address(new Taker())];
    }

    function mint(uint256 who, uint256 what, uint256 amount, uint8 referenceSeed, uint8 by) external {
        bytes32 r = _reference(referenceSeed);
        (uint256 id, uint256 n) = _choose(what, amount);
        bool ok = _call(_minter(by), _mintCall(r, _actor(who), id, n));
        _minted(ok, by, isUsed[r]);
        if (ok) _use(r);
    }

    function mintBatch(uint256[6] calldata seeds, uint8 length, uint8 by) external {
        UniverseTemplate.MintItem[] memory items = new UniverseTemplate.MintItem[](length % 7);
        bool repeats;
        for (uint256 i = 0; i < items.length; i++) {
            uint256 s = seeds[i];
            bytes32 r = _reference(uint8(s));
            (uint256 id, uint256 n) = _choose(s >> 8 & 0xffff, s >> 24 & 0xffff);
            items[i] = _item(r, _actor(s >> 40), id, n);
            repeats = repeats || isUsed[r];
            for (uint256 k = 0; k < i; k++) repeats = repeats || (r != 0 && items[k].referenceId == r);
        }
        bool ok = _call(_minter(by), abi.encodeCall(UniverseItems.mintBatch, (items)));
        _minted(ok, by, repeats);
        for (uint256 i = 0; ok && i < items.length; i++) _use(items[i].referenceId);
    }

    function move(uint256 from, uint256 to, uint256 what, uint256 amount) external {
        (uint256 id, uint256 n) = _choose(what, amount);
        address holder = _holder(id, from);
        if (_call(holder, _moveCall(holder, _actor(to), id, n))) {
            moves++;
            movedWhilePaused = movedWhilePaused || _frozen();
        }
    }

    function burn(uint256 from, uint256 what, uint256 amount) external {
        (uint256 id, uint256 n) = _choose(what, amount);
        address holder = _holder(id, from);
        if (_call(holder, _burnCall(holder, id, n))) {
            burns++;
            movedWhilePaused = movedWhilePaused || _frozen();
        }
    }

    /// Mostly not, else little would happen.
    function pause(uint8 seed) external {
        bool want = seed % 4 == 0;
        if (want == template.paused()) return;
        vm.prank(ADMIN);
        want ? template.pause() : template.unpause();
    }

    function pauseUniverse(uint8 seed) external {
        registry.pauseUniverse(UNIVERSE, seed % 4 == 0);
    }

    function actorCount() external view returns (uint256) {
        return actors.length;
    }

    function _choose(uint256 what, uint256 amount) internal view virtual returns (uint256 id, uint256 n);
    function _mintCall(bytes32 r, address to, uint256 id, uint256 n) internal pure virtual returns (bytes memory);
    function _moveCall(address from, address to, uint256 id, uint256 n) internal pure virtual returns (bytes memory);
    function _burnCall(address from, uint256 id, uint256 n) internal pure virtual returns (bytes memory);

    /// Who tries to move it.
    function _holder(uint256, uint256 seed) internal view virtual returns (address) {
        return _actor(seed);
    }

    function _actor(uint256 seed) internal view returns (address) {
        return actors[seed % actors.length];
    }

    /// None for one seed in 64, else one of 63.
    function _reference(uint8 seed) private pure returns (bytes32) {
        return bytes32(uint256(seed % 64));
    }

    function _minter(uint8 by) private pure returns (address) {
        return by % 8 == 0 ? STRANGER : by % 8 == 1 ? ADMIN : MINTER;
    }

    function _minted(bool ok, uint8 by, bool repeats) private {
        if (ok) {
            mints++;
            strangerMinted = strangerMinted || by % 8 < 2;
            movedWhilePaused = movedWhilePaused || _frozen();
            referenceTwice = referenceTwice || repeats;
        } else {
            if (repeats) repeatsRefused++;
            if (_frozen()) frozenRefused++;
        }
    }

    function _use(bytes32 r) private {
        isUsed[r] = r != 0;
    }

    function _frozen() private view returns (bool) {
        return template.paused() || registry.isPaused(UNIVERSE);
    }

    function _call(address from, bytes memory data) private returns (bool ok) {
        vm.prank(from);
        (ok,) = address(template).call(data);
    }
}

contract ERC20Handler is Handler {
    constructor(UniverseTemplate t) Handler(t) {}

    function _choose(uint256, uint256 amount) internal pure override returns (uint256 id, uint256 n) {
        return (0, amount % 400);
    }

    function _mintCall(bytes32 r, address to, uint256, uint256 n) internal pure override returns (bytes memory) {
        return abi.encodeCall(UniverseERC20.mint, (r, to, n));
    }

    function _moveCall(address, address to, uint256, uint256 n) internal pure override returns (bytes memory) {
        return abi.encodeWithSignature("transfer(address,uint256)", to, n);
    }

    function _burnCall(address, uint256, uint256 n) internal pure override returns (bytes memory) {
        return abi.encodeWithSignature("burn(uint256)", n);
    }
}

contract ERC721Handler is Handler {
    constructor(UniverseTemplate t) Handler(t) {}

    /// Its owner, mostly: another gets nowhere.
    function _holder(uint256 id, uint256 seed) internal view override returns (address) {
        if (seed % 8 == 0) return _actor(seed / 8);
        try UniverseERC721(address(template)).ownerOf(id) returns (address owner) {
            return owner;
        } catch {
            return _actor(seed);
        }
    }

    function _choose(uint256 what, uint256) internal pure override returns (uint256 id, uint256 n) {
        return ((what % 2) << 64 | what / 2 % 12, 1);
    }

    function _mintCall(bytes32 r, address to, uint256 id, uint256) internal pure override returns (bytes memory) {
        return abi.encodeCall(UniverseERC721.mint, (r, to, id));
    }

    function _moveCall(address from, address to, uint256 id, uint256) internal pure override returns (bytes memory) {
        return abi.encodeWithSignature("safeTransferFrom(address,address,uint256)", from, to, id);
    }

    function _burnCall(address, uint256 id, uint256) internal pure override returns (bytes memory) {
        return abi.encodeWithSignature("burn(uint256)", id);
    }
}

contract ItemsHandler is Handler {
    constructor(UniverseTemplate t) Handler(t) {}

    function _choose(uint256 what, uint256 amount) internal pure override returns (uint256 id, uint256 n) {
        return (what % 3, amount % 40);
    }

    function _mintCall(bytes32 r, address to, uint256 id, uint256 n) internal pure override returns (bytes memory) {
        return abi.encodeCall(UniverseItems.mint, (r, to, id, n));
    }

    function _moveCall(address from, address to, uint256 id, uint256 n) internal pure override returns (bytes memory) {
        return
            abi.encodeWithSignature("safeTransferFrom(address,address,uint256,uint256,bytes)", from, to, id, n, "");
    }

    function _burnCall(address from, uint256 id, uint256 n) internal pure override returns (bytes memory) {
        return abi.encodeWithSignature("burn(address,uint256,uint256)", from, id, n);
    }
}

abstract contract Invariants is Base {
    Handler internal handler;

    /// Forge plays with these only.
    function targetContracts() external view returns (address[] memory l) {
        l = new address[](1);
        l[0] = address(handler);
    }

    /// One campaign checks everything, after each step.
    function invariant_holds() external view {
        vm.assertFalse(handler.strangerMinted());
        vm.assertFalse(handler.movedWhilePaused());
        vm.assertFalse(handler.referenceTwice());
        bytes32[] memory all = new bytes32[](63);
        for (uint256 r = 0; r < 63; r++) all[r] = bytes32(r + 1);
        bool[] memory told = handler.template().referencesUsed(all);
        for (uint256 r = 0; r < 63; r++) vm.assertTrue(told[r] == handler.isUsed(all[r]));
        _supplyHolds();
    }

    /// Balances, supplies and caps agree.
    function _supplyHolds() internal view virtual;

    /// @dev The handler is no good if it never gets anywhere.
    function test_the_handler_gets_everywhere() external {
        for (uint256 i = 0; i < 600; i++) {
            uint256 s = uint256(keccak256(abi.encode(i)));
            uint256 what = s >> 16;
            uint8 kind = uint8(s % 16);
            if (kind < 5) handler.mint(s >> 32, what, s >> 64, uint8(s >> 96), uint8(s >> 104));
            else if (kind < 7) handler.mintBatch([s, s >> 3, s >> 5, s >> 7, s >> 9, s >> 11], kind, uint8(s >> 104));
            else if (kind < 11) handler.move(s >> 32, s >> 40, what, s >> 64);
            else if (kind < 14) handler.burn(s >> 32, what, s >> 64);
            else if (kind == 14) handler.pause(uint8(s >> 8));
            else handler.pauseUniverse(uint8(s >> 8));
        }
        vm.assertTrue(handler.mints() > 10 && handler.moves() > 5 && handler.burns() > 5);
        vm.assertTrue(handler.repeatsRefused() > 10 && handler.frozenRefused() > 5);
    }
}

contract ERC20Invariants is Invariants {
    UniverseERC20 private token;

    function setUp() public override {
        super.setUp();
        token = _erc20(800);
        handler = new ERC20Handler(token);
    }

    function _supplyHolds() internal view override {
        uint256 sum;
        for (uint256 i = 0; i < handler.actorCount(); i++) sum += token.balanceOf(handler.actors(i));
        vm.assertEq(sum, token.totalSupply());
        vm.assertLe(sum, token.cap());
    }
}

contract ERC721Invariants is Invariants {
    UniverseERC721 private token;

    function setUp() public override {
        super.setUp();
        token = _erc721();
        vm.prank(ADMIN);
        token.defineClass(0, 4, "{}");
        vm.prank(ADMIN);
        token.defineClass(1, 0, "{}");
        handler = new ERC721Handler(token);
    }

    function _supplyHolds() internal view override {
        address[24] memory owners;
        for (uint256 n = 0; n < 24; n++) owners[n] = _owner((n % 2) << 64 | n / 2);
        uint256 sum;
        for (uint256 i = 0; i < handler.actorCount(); i++) {
            address actor = handler.actors(i);
            uint256 owned;
            for (uint256 n = 0; n < 24; n++) owned += owners[n] == actor ? 1 : 0;
            vm.assertEq(owned, token.balanceOf(actor));
            sum += owned;
        }
        vm.assertEq(sum, token.totalSupply());
        (, uint256 cap, uint256 minted) = token.classOf(0);
        vm.assertLe(minted, cap);
        (,, uint256 others) = token.classOf(1);
        vm.assertLe(token.totalSupply(), minted + others);
    }

    function _owner(uint256 id) private view returns (address) {
        try token.ownerOf(id) returns (address owner) {
            return owner;
        } catch {
            return address(0);
        }
    }
}

contract ItemsInvariants is Invariants {
    UniverseItems private token;

    function setUp() public override {
        super.setUp();
        token = _items();
        for (uint256 id = 0; id < 3; id++) {
            vm.prank(ADMIN);
            token.defineClass(id, id * 60, "{}");
        }
        handler = new ItemsHandler(token);
    }

    function _supplyHolds() internal view override {
        for (uint256 id = 0; id < 3; id++) {
            uint256 sum;
            for (uint256 i = 0; i < handler.actorCount(); i++) sum += token.balanceOf(handler.actors(i), id);
            (, uint256 cap, uint256 minted) = token.classOf(id);
            vm.assertEq(sum, token.totalSupply(id));
            vm.assertLe(sum, minted);
            if (cap != 0) vm.assertLe(minted, cap);
        }
    }
}
