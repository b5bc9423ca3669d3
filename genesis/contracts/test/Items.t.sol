// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {UniverseClasses} from "../src/UniverseClasses.sol";
import {UniverseItems} from "../src/UniverseItems.sol";
import {UniverseTemplate} from "../src/UniverseTemplate.sol";
import {Reenterer, Taker, vm} from "./Base.sol";
import {ClassesTest} from "./Shared.t.sol";

contract ItemsTest is ClassesTest {
    UniverseItems private token;

    function setUp() public override {
        super.setUp();
        _fresh(ADMIN, MINTER);
        template = token;
    }

    function _fresh(address admin, address minter) internal override returns (UniverseTemplate) {
        token = UniverseItems(_create("items", abi.encode("Items", "ITM", BASE_URI, admin, minter)));
        for (uint256 id = 0; id < 3; id++) {
            vm.prank(admin);
            token.defineClass(id, 0, "{}");
        }
        return token;
    }

    function _thing(uint256 k) internal pure override returns (uint256 id, uint256 amount) {
        return (k, 1);
    }

    function _of(bytes32 referenceId, address to, uint256 id, uint256)
        internal
        pure
        override
        returns (UniverseTemplate.MintItem memory)
    {
        return _item(referenceId, to, id, 1);
    }

    function _single(bytes32 referenceId, address to, uint256 k) internal override {
        token.mint(referenceId, to, k, 1);
    }

    function _move(address from, address to, uint256 k) internal override {
        vm.prank(from);
        token.safeTransferFrom(from, to, k, 1, "");
    }

    function _burn(address from, uint256 k) internal override {
        vm.prank(from);
        token.burn(from, k, 1);
    }

    function _held(address who, uint256 k) internal view override returns (uint256) {
        return token.balanceOf(who, k);
    }

    function test_describes_itself() public view {
        vm.assertEq(token.name(), "Items");
        vm.assertEq(token.symbol(), "ITM");
        string memory contractText = Strings.toHexString(uint160(address(token)), 20);
        vm.assertEq(token.uri(3), string.concat(BASE_URI, contractText, "/metadata/{id}"));
        vm.assertTrue(token.supportsInterface(0xd9b67a26) && token.supportsInterface(0x0e89341c));
    }

    function test_refreshes() public {
        string memory uri = token.uri(2);
        vm.prank(MINTER);
        vm.expectEmit();
        emit IERC1155.URI(uri, 2);
        token.setClassMetadata(2, "{}");
        uint256[] memory ids = new uint256[](1);
        ids[0] = 1;
        vm.prank(ADMIN);
        vm.expectEmit();
        emit IERC1155.URI(uri, 1);
        token.refreshMetadata(ids);
    }

    function testFuzz_amounts(uint256 cap, uint256 amount, uint256 gone) public {
        cap = cap % (2 ** 128 - 2) + 1;
        _define(9, cap);
        amount = amount % (cap + 1);
        gone = gone % (amount + 1);
        vm.prank(MINTER);
        token.mint("r", ALICE, 9, amount);
        vm.prank(ALICE);
        token.burn(ALICE, 9, gone);
        vm.assertEq(token.balanceOf(ALICE, 9), amount - gone);
        vm.assertEq(token.totalSupply(9), amount - gone);
        (,, uint256 minted) = token.classOf(9);
        vm.assertEq(minted, amount);
        // Burning makes no room.
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseClasses.SupplyExceeded.selector, 9, cap));
        token.mint("s", ALICE, 9, cap - amount + 1);
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseClasses.SupplyExceeded.selector, 9, cap));
        token.mint("s", ALICE, 9, type(uint256).max);
        vm.prank(MINTER);
        token.mint("s", ALICE, 9, cap - amount);
    }

    function test_uncapped_is_bounded_too() public {
        vm.prank(MINTER);
        token.mint("r", ALICE, 0, type(uint128).max);
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseClasses.SupplyExceeded.selector, 0, 0));
        token.mint("s", ALICE, 0, 1);
        (bool defined, uint256 max, uint256 minted) = token.classOf(0);
        vm.assertTrue(defined && max == 0 && minted == type(uint128).max);
    }

    function test_neighbours_share_event_and_question() public {
        Taker taker = new Taker();
        UniverseTemplate.MintItem[] memory items = new UniverseTemplate.MintItem[](4);
        items[0] = _item("a", address(taker), 0, 3);
        items[1] = _item("b", address(taker), 1, 4);
        items[2] = _item("c", ALICE, 0, 5);
        items[3] = _item("d", address(taker), 0, 6);
        (uint256[] memory ids, uint256[] memory amounts) = (new uint256[](2), new uint256[](2));
        (ids[1], amounts[0], amounts[1]) = (1, 3, 4);
        vm.prank(MINTER);
        vm.expectEmit();
        emit IERC1155.TransferBatch(MINTER, address(0), address(taker), ids, amounts);
        vm.expectEmit();
        emit IERC1155.TransferSingle(MINTER, address(0), ALICE, 0, 5);
        vm.expectEmit();
        emit IERC1155.TransferSingle(MINTER, address(0), address(taker), 0, 6);
        token.mintBatch(items);
        vm.assertEq(taker.asked(), 2);
        vm.assertTrue(taker.asBatch());
        vm.assertEq(token.balanceOf(address(taker), 0), 9);
        vm.assertEq(token.balanceOf(address(taker), 1), 4);
        vm.assertEq(token.balanceOf(ALICE, 0), 5);
    }

    /// Runs of any lengths to any accounts credit what a plain sum says.
    function testFuzz_batch(uint8[32] calldata tos, uint64[32] calldata amounts) public {
        UniverseTemplate.MintItem[] memory items = new UniverseTemplate.MintItem[](32);
        uint256[9] memory want;
        for (uint256 i = 0; i < 32; i++) {
            (uint256 to, uint256 id) = (tos[i] % 3, tos[i] / 3 % 3);
            items[i] = _item(bytes32(i + 1), address(uint160(0x1000 + to)), id, amounts[i]);
            want[to * 3 + id] += amounts[i];
        }
        vm.prank(MINTER);
        token.mintBatch(items);
        for (uint256 k = 0; k < 9; k++) vm.assertEq(token.balanceOf(address(uint160(0x1000 + k / 3)), k % 3), want[k]);
    }

    function test_reentry_finds_the_reference_used() public {
        Reenterer r = new Reenterer();
        bytes32 role = token.MINTER_ROLE();
        vm.prank(ADMIN);
        token.grantRole(role, address(r));
        r.arm(address(token), _item("later", address(r), 0, 1));
        r.start(abi.encodeCall(token.mintBatch, (_list(_item("r", address(r), 0, 1), _item("later", ALICE, 1, 1)))));
        bytes memory want = abi.encodeWithSelector(UniverseTemplate.ReferenceUsed.selector, bytes32("later"));
        vm.assertTrue(keccak256(r.failure()) == keccak256(want));
        vm.assertEq(token.balanceOf(address(r), 0), 1);
    }
}
