// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {UniverseClasses} from "../src/UniverseClasses.sol";
import {UniverseItems} from "../src/UniverseItems.sol";
import {UniverseTemplate} from "../src/UniverseTemplate.sol";
import {Base, Refuser, vm, registry} from "./Base.sol";

/// @dev What holds of every template. A concrete test says how to mint, move and burn one.
abstract contract SharedTest is Base {
    UniverseTemplate internal template;

    /// A template with the same arguments, whatever the registry answers now.
    function _fresh(address admin, address minter) internal virtual returns (UniverseTemplate);
    /// The k-th thing that can be minted.
    function _thing(uint256 k) internal pure virtual returns (uint256 id, uint256 amount);
    function _single(bytes32 referenceId, address to, uint256 k) internal virtual;
    function _move(address from, address to, uint256 k) internal virtual;
    function _burn(address from, uint256 k) internal virtual;
    function _held(address who, uint256 k) internal view virtual returns (uint256);

    function _make(bytes32 referenceId, address to, uint256 k) internal pure returns (UniverseTemplate.MintItem memory) {
        (uint256 id, uint256 amount) = _thing(k);
        return _item(referenceId, to, id, amount);
    }

    function _batch(UniverseTemplate.MintItem[] memory items) internal {
        UniverseItems(address(template)).mintBatch(items); // the same function in all
    }

    function _denied(address who, bytes32 role) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, who, role);
    }

    function test_roles_given() public view {
        vm.assertTrue(template.hasRole(0, ADMIN) && template.hasRole(template.PAUSER_ROLE(), ADMIN));
        vm.assertTrue(template.hasRole(template.MINTER_ROLE(), MINTER));
        vm.assertFalse(template.hasRole(template.MINTER_ROLE(), ADMIN));
        vm.assertFalse(template.hasRole(0, MINTER) || template.hasRole(template.PAUSER_ROLE(), MINTER));
        vm.assertFalse(template.hasRole(0, address(this)));
        vm.assertEq(template.universe(), UNIVERSE);
    }

    function test_no_admin_is_refused() public {
        vm.expectRevert(abi.encodeWithSelector(UniverseTemplate.ZeroAdmin.selector));
        this.fresh(address(0), MINTER);
        UniverseTemplate t = _fresh(ADMIN, address(0));
        vm.assertFalse(t.hasRole(t.MINTER_ROLE(), address(0)));
    }

    function fresh(address admin, address minter) external returns (UniverseTemplate) {
        return _fresh(admin, minter);
    }

    function testFuzz_only_minters_mint(address who) public {
        vm.assume(who != MINTER && who != address(0));
        bytes32 role = template.MINTER_ROLE();
        vm.prank(who);
        vm.expectRevert(_denied(who, role));
        _batch(_list(_make("r", ALICE, 0)));
        vm.prank(who);
        vm.expectRevert(_denied(who, role));
        _single("r", ALICE, 0);
        vm.prank(ADMIN);
        template.grantRole(role, who);
        vm.prank(who);
        _batch(_list(_make("r", ALICE, 0)));
        vm.assertEq(_held(ALICE, 0), 1);
        vm.prank(ADMIN);
        template.revokeRole(role, who);
        vm.prank(who);
        vm.expectRevert(_denied(who, role));
        _single("s", ALICE, 1);
    }

    function testFuzz_a_reference_is_used_once(bytes32 referenceId, uint64 time) public {
        vm.assume(referenceId != 0 && referenceId != "other" && time != 0);
        vm.warp(time);
        vm.assertFalse(template.referencesUsed(_words(referenceId))[0]);
        vm.prank(MINTER);
        _batch(_list(_make(referenceId, ALICE, 0)));
        vm.assertTrue(template.referencesUsed(_words(referenceId))[0]);
        (address to, uint64 time_) = template.referenceOf(referenceId);
        vm.assertEq(to, ALICE);
        vm.assertEq(time_, time);
        bytes memory used = abi.encodeWithSelector(UniverseTemplate.ReferenceUsed.selector, referenceId);
        vm.prank(MINTER);
        vm.expectRevert(used);
        _batch(_list(_make("other", BOB, 1), _make(referenceId, BOB, 2)));
        vm.prank(MINTER);
        vm.expectRevert(used);
        _single(referenceId, BOB, 1);
        vm.assertEq(_held(BOB, 1), 0);
        vm.assertFalse(template.referencesUsed(_words("other"))[0]); // the whole call was undone
        // Nor is it free again when what it made is gone.
        _burn(ALICE, 0);
        vm.prank(MINTER);
        vm.expectRevert(used);
        _single(referenceId, ALICE, 0);
    }

    function test_twice_in_one_batch() public {
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseTemplate.ReferenceUsed.selector, bytes32("r")));
        _batch(_list(_make("r", ALICE, 0), _make("r", BOB, 1)));
    }

    function test_no_reference_repeats() public {
        vm.prank(MINTER);
        _batch(_list(_make(0, ALICE, 0), _make(0, ALICE, 1)));
        vm.prank(MINTER);
        _single(0, ALICE, 2);
        vm.assertEq(_held(ALICE, 0) + _held(ALICE, 1) + _held(ALICE, 2), _held(ALICE, 0) == 1 ? 3 : 9);
        vm.assertFalse(template.referencesUsed(_words(0))[0]);
    }

    function test_nothing_to_zero() public {
        vm.prank(MINTER);
        vm.expectRevert();
        _batch(_list(_make("r", address(0), 0)));
        vm.prank(MINTER);
        vm.expectRevert();
        _single("r", address(0), 0);
        vm.prank(MINTER);
        _batch(new UniverseTemplate.MintItem[](0));
    }

    function test_paused_nothing_moves() public {
        vm.prank(MINTER);
        _single("r", ALICE, 0);
        bytes32 role = template.PAUSER_ROLE();
        vm.prank(STRANGER);
        vm.expectRevert(_denied(STRANGER, role));
        template.pause();
        vm.prank(ADMIN);
        template.pause();
        _still(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        vm.prank(ADMIN);
        template.unpause();
        _moves();
    }

    function test_paused_universe_nothing_moves() public {
        vm.prank(MINTER);
        _single("r", ALICE, 0);
        registry.pauseUniverse(UNIVERSE + 1, true);
        vm.assertFalse(template.universePaused());
        registry.pauseUniverse(UNIVERSE, true);
        vm.assertTrue(template.universePaused());
        vm.assertFalse(template.paused());
        _still(abi.encodeWithSelector(UniverseTemplate.UniversePaused.selector, UNIVERSE));
        registry.pauseUniverse(UNIVERSE, false);
        _moves();
    }

    function test_outside_of_universes() public {
        registry.attributeTo(0);
        registry.pauseUniverse(0, true);
        template = _fresh(ADMIN, MINTER);
        vm.assertEq(template.universe(), 0);
        vm.prank(MINTER);
        _single("r", ALICE, 0);
        _moves();
    }

    function test_interfaces() public view {
        IERC165 t = IERC165(address(template));
        vm.assertTrue(t.supportsInterface(0x01ffc9a7) && t.supportsInterface(type(IAccessControl).interfaceId));
        vm.assertFalse(t.supportsInterface(0xffffffff));
    }

    function _still(bytes memory why) private {
        vm.prank(MINTER);
        vm.expectRevert(why);
        _single("s", ALICE, 1);
        vm.prank(MINTER);
        vm.expectRevert(why);
        _batch(_list(_make("s", ALICE, 1)));
        vm.expectRevert(why);
        this.move(ALICE, BOB, 0);
        vm.expectRevert(why);
        this.burn(ALICE, 0);
    }

    function _moves() private {
        this.move(ALICE, BOB, 0);
        this.burn(BOB, 0);
        vm.prank(MINTER);
        _single("t", ALICE, 1);
    }

    // A revert is expected of the next call: these are one.
    function move(address from, address to, uint256 k) external {
        _move(from, to, k);
    }

    function burn(address from, uint256 k) external {
        _burn(from, k);
    }
}

/// @dev What holds of those with classes. `k` is class k here.
abstract contract ClassesTest is SharedTest {
    function _classes() internal view returns (UniverseClasses) {
        return UniverseClasses(address(template));
    }

    function _define(uint256 id, uint256 maxSupply) internal {
        vm.prank(MINTER);
        _classes().defineClass(id, maxSupply, "{}");
    }

    /// The n-th of class `id`.
    function _of(bytes32 referenceId, address to, uint256 id, uint256 n)
        internal
        pure
        virtual
        returns (UniverseTemplate.MintItem memory);

    function testFuzz_class(uint256 id, uint256 maxSupply, bytes calldata json) public {
        id = id >> 64 | 1 << 100; // none that setUp made
        maxSupply = maxSupply % (2 ** 128 - 1);
        vm.assume(json.length <= 2048);
        vm.prank(ADMIN);
        vm.expectEmit();
        emit UniverseClasses.ClassDefined(id, maxSupply, json);
        _classes().defineClass(id, maxSupply, json);
        (bool defined, uint256 max, uint256 minted) = _classes().classOf(id);
        vm.assertTrue(defined);
        vm.assertEq(max, maxSupply);
        vm.assertEq(minted, 0);
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseClasses.ClassExists.selector, id));
        _classes().defineClass(id, maxSupply, json);
        vm.prank(MINTER);
        vm.expectEmit();
        emit UniverseClasses.ClassMetadataChanged(id, json);
        _classes().setClassMetadata(id, json);
    }

    function test_class_refused() public {
        bytes memory json = new bytes(2049);
        bytes32 role = template.MINTER_ROLE();
        vm.prank(STRANGER);
        vm.expectRevert(_denied(STRANGER, role));
        _classes().defineClass(99, 1, "{}");
        vm.prank(STRANGER);
        vm.expectRevert(_denied(STRANGER, role));
        _classes().setClassMetadata(0, "{}");
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseClasses.MetadataTooLong.selector, 2049));
        _classes().defineClass(99, 1, json);
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseClasses.MetadataTooLong.selector, 2049));
        _classes().setClassMetadata(0, json);
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseClasses.InvalidMaxSupply.selector, 2 ** 128 - 1));
        _classes().defineClass(99, 2 ** 128 - 1, "{}");
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseClasses.UnknownClass.selector, 99));
        _classes().setClassMetadata(99, "{}");
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseClasses.UnknownClass.selector, 99));
        _batch(_list(_of("r", ALICE, 99, 0)));
        (bool defined,,) = _classes().classOf(99);
        vm.assertFalse(defined);
    }

    function testFuzz_cap(uint8 cap) public {
        vm.assume(cap > 0);
        _define(50, cap);
        UniverseTemplate.MintItem[] memory items = new UniverseTemplate.MintItem[](cap);
        for (uint256 i = 0; i < cap; i++) items[i] = _of(bytes32(i + 1), i % 3 == 0 ? ALICE : BOB, 50, i);
        vm.prank(MINTER);
        _batch(items);
        (, uint256 max, uint256 minted) = _classes().classOf(50);
        vm.assertEq(minted, max);
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseClasses.SupplyExceeded.selector, 50, cap));
        _batch(_list(_of("more", ALICE, 50, cap)));
    }

    function test_contracts_are_asked() public {
        address refuser = address(new Refuser());
        vm.prank(MINTER);
        vm.expectRevert();
        _batch(_list(_make("r", ALICE, 0), _make("s", refuser, 1)));
        vm.prank(MINTER);
        vm.expectRevert();
        _single("r", refuser, 1);
    }

    function test_base_uri() public {
        vm.prank(MINTER);
        vm.expectRevert(_denied(MINTER, 0));
        _classes().setBaseURI("https://other.example/");
        vm.prank(ADMIN);
        vm.expectEmit();
        emit UniverseClasses.BaseURIChanged("https://other.example/");
        _classes().setBaseURI("https://other.example/");
    }

    function test_royalty() public {
        vm.prank(ADMIN);
        _classes().setRoyalty(BOB, 250);
        (address to, uint256 amount) = _classes().royaltyInfo(1, 10000);
        vm.assertEq(to, BOB);
        vm.assertEq(amount, 250);
        vm.prank(ADMIN);
        _classes().setRoyalty(address(0), 0);
        (, amount) = _classes().royaltyInfo(1, 10000);
        vm.assertEq(amount, 0);
        vm.prank(MINTER);
        vm.expectRevert(_denied(MINTER, 0));
        _classes().setRoyalty(MINTER, 250);
        vm.assertTrue(_classes().supportsInterface(0x2a55205a));
    }
}
